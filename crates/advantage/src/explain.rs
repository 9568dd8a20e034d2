//! Why a response got the rewards and advantages it got.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::credit::assigner::Credit;
use crate::error::{Error, Result};
use crate::segment::SegmentKind;

/// A response step by step: what a report or a debugger prints.
///
/// Its [`Display`](fmt::Display) is one line per step: ratio (`!` where penalised), mean advantage,
/// kind, text, and the items named (`+` a target, `-` a wrong recommendation).
///
/// ```
/// use rerec_advantage::{JudgedAnswer, CreditAssigner, CreditConfig, Explanation, ItemNames, JudgedResponse};
///
/// let assigner = CreditAssigner::new(CreditConfig::default())?;
/// let lexicon = assigner.lexicon(["Heat (1995)", "Ed (1996)"].map(ItemNames::from_title))?;
/// let judged = JudgedResponse {
///     response: "Ed it is.\n\\boxed{Ed}",
///     token_byte_lens: &[3, 7, 10],
///     answer: Some(JudgedAnswer { span: 10..20, items: &["Ed (1996)"], is_right: false }),
///     targets: &["Heat (1995)"],
///     reward: 0.5,
/// };
/// let credit = assigner.assign(&judged, &lexicon)?;
/// let explanation = Explanation::new(&credit, Some(&[-1.5, -0.5, 0.25]))?;
/// // The first step names the wrong answer; its two tokens have a mean advantage of -1.
/// let step = &explanation.steps[0];
/// assert_eq!((step.ratio, step.tokens, step.mean_advantage), (0.7, 2, Some(-1.0)));
/// assert_eq!(explanation.to_string().lines().nth(2), Some("!0.700     -1.000  Ed it is."));
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// The reward of the response.
    pub reward: f64,
    /// The steps that are not blank, in order.
    pub steps: Vec<ExplainedStep>,
}

/// A step of an [`Explanation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainedStep {
    /// The bytes of the step in the response.
    pub span: Range<usize>,
    /// Its bytes without the line ends around it.
    pub content: Range<usize>,
    /// What the step is for.
    pub kind: SegmentKind,
    /// The text of the step, without the line ends around it.
    pub text: String,
    /// The items that the step names, each once, in order of their first mention.
    pub items: Vec<NamedItem>,
    /// What the step keeps of the reward.
    pub ratio: f64,
    /// Whether a rule gave the step less than it gives to tokens outside all steps.
    pub penalised: bool,
    /// The number of tokens that hold bytes of the step.
    pub tokens: usize,
    /// The mean advantage of those tokens, where advantages were given and there are tokens.
    pub mean_advantage: Option<f64>,
}

/// An item that a step names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct NamedItem {
    /// The name of the item.
    pub name: String,
    /// Whether it is a right answer.
    pub is_target: bool,
    /// Whether the response recommends it.
    pub is_recommended: bool,
    /// Where the step names it, by bytes of the response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Range<usize>>,
}

impl Explanation {
    /// Combines what is known about a response; `advantages` has one number per token.
    ///
    /// # Errors
    /// More or fewer advantages than the response has tokens.
    pub fn new(credit: &Credit<'_>, advantages: Option<&[f64]>) -> Result<Self> {
        let expected = credit.token_rewards.len();
        if let Some(got) = advantages.map(<[f64]>::len).filter(|&got| got != expected) {
            let what = "advantages";
            return Err(Error::TokenCount {
                what,
                response: 0,
                expected,
                got,
            });
        }
        let steps = 0..credit.steps.len();
        Ok(Self {
            reward: credit.annotated.judged.reward,
            steps: steps
                .filter_map(|index| explain(credit, index, advantages))
                .collect(),
        })
    }
}

/// The step of segment `index`, unless it is blank.
fn explain(credit: &Credit<'_>, index: usize, advantages: Option<&[f64]>) -> Option<ExplainedStep> {
    let annotated = &credit.annotated;
    let (segment, step) = (annotated.segments.get(index)?, credit.steps.get(index)?);
    let text = annotated
        .judged
        .response
        .get(segment.content.clone())?
        .trim();
    if text.is_empty() {
        return None;
    }
    // Special tokens hold no bytes, and lie at a step without being part of it.
    let mut tokens: Vec<usize> = annotated.tokens.overlapping(&segment.content).collect();
    tokens.retain(|&token| {
        annotated
            .tokens
            .get(token)
            .is_some_and(|span| !span.is_empty())
    });
    let mean = |all: &[f64]| {
        let sum: f64 = tokens.iter().filter_map(|&token| all.get(token)).sum();
        (!tokens.is_empty()).then(|| sum / tokens.len() as f64)
    };
    Some(ExplainedStep {
        span: segment.span.clone(),
        content: segment.content.clone(),
        kind: segment.kind,
        text: text.to_owned(),
        items: named_items(credit, index),
        ratio: step.ratio,
        penalised: step.penalised,
        tokens: tokens.len(),
        mean_advantage: advantages.and_then(mean),
    })
}

fn named_items(credit: &Credit<'_>, segment: usize) -> Vec<NamedItem> {
    let mut items: Vec<NamedItem> = Vec::new();
    for mention in credit.annotated.mentions_in(segment) {
        let Some(item) = credit.annotated.item(mention) else {
            continue;
        };
        // A scan: a step names a handful of items.
        match items.iter_mut().find(|known| known.name == item.name) {
            Some(known) => known.spans.push(mention.span.clone()),
            None => items.push(NamedItem {
                name: item.name.to_owned(),
                is_target: item.is_target,
                is_recommended: item.is_recommended,
                spans: vec![mention.span.clone()],
            }),
        }
    }
    items
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "reward {:.3}", self.reward)?;
        writeln!(f, " ratio  advantage  step")?;
        self.steps.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl fmt::Display for ExplainedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.penalised { '!' } else { ' ' };
        write!(f, "{mark}{:5.3}  ", self.ratio)?;
        match self.mean_advantage {
            Some(advantage) => write!(f, "{advantage:+9.3}  ")?,
            None => write!(f, "{:>9}  ", "-")?,
        }
        if self.kind == SegmentKind::Answer {
            write!(f, "[answer] ")?;
        }
        writeln!(
            f,
            "{}",
            self.text.split_whitespace().collect::<Vec<_>>().join(" ")
        )?;
        for item in &self.items {
            let (sign, role) = match (item.is_target, item.is_recommended) {
                (true, true) => ('+', " (target, recommended)"),
                (true, false) => ('+', " (target)"),
                (false, true) => ('-', " (recommended)"),
                (false, false) => (' ', ""),
            };
            writeln!(f, "{:>22} {}{role}", sign, item.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{CreditAssigner, CreditConfig, ItemNames, JudgedAnswer, JudgedResponse};

    use super::*;

    #[test]
    fn a_rollout_reads_well() {
        let assigner = CreditAssigner::new(CreditConfig::default()).unwrap();
        let items = ["Heat (1995)", "Ed (1996)", "Jaws (1975)"].map(ItemNames::from_title);
        let lexicon = assigner.lexicon(items).unwrap();
        let judged = JudgedResponse {
            response: "Heat is long.\n\nEd and Jaws\nare short.\nSo \\boxed{Ed}",
            token_byte_lens: &[4, 9, 2, 11, 1, 11, 3, 10, 0],
            answer: Some(JudgedAnswer {
                span: 41..51,
                items: &["Ed (1996)"],
                is_right: false,
            }),
            targets: &["Heat (1995)"],
            reward: 0.05,
        };
        let credit = assigner.assign(&judged, &lexicon).unwrap();
        let advantages = [1.0, 2.0, 9.0, -1.0, 9.0, 0.0, 0.5, 0.25, 9.0];
        let explanation = Explanation::new(&credit, Some(&advantages)).unwrap();
        let expected = "\
reward 0.050
 ratio  advantage  step
 1.000     +1.500  Heat is long.
                     + Heat (1995) (target)
!0.700     -1.000  Ed and Jaws
                     - Ed (1996) (recommended)
                       Jaws (1975)
 1.000     +0.000  are short.
 1.000     +0.500  So
 1.000     +0.250  [answer] \\boxed{Ed}
                     - Ed (1996) (recommended)
";
        assert_eq!(explanation.to_string(), expected);
        assert!(Explanation::new(&credit, Some(&[0.0])).is_err());
    }
}
