//! Two rules beyond the paper: what a step rejects.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use serde::{Deserialize, Serialize};

use super::{Annotated, CreditRule, MentionedItem, Ratios};
use crate::error::{Error, Result, check_at_least_0};
use crate::segment::SegmentKind;

/// Settings of [`RejectedCandidate`] and [`RejectedTarget`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectionConfig {
    /// What a step that rejects such an item keeps of its reward, at least 0: above 1 is credit,
    /// below 1 a penalty.
    pub ratio: f64,
    /// What says that the items named in the same clause are rejected, whatever the case, as whole
    /// words. Default English.
    #[serde(default = "english_cues")]
    pub cues: Vec<String>,
}

impl RejectionConfig {
    /// This ratio for English text.
    pub fn english(ratio: f64) -> Self {
        Self {
            ratio,
            cues: english_cues(),
        }
    }
}

fn english_cues() -> Vec<String> {
    let cues = [
        "not",
        "isn't",
        "doesn't",
        "don't",
        "can't",
        "cannot",
        "won't",
        "fails",
        "lacks",
        "exclude",
        "excluded",
        "excludes",
        "reject",
        "rejected",
        "rule out",
        "ruled out",
        "rules out",
        "unlike",
        "instead of",
        "rather than",
        "eliminate",
        "eliminated",
        "unsuitable",
        "mismatch",
    ];
    cues.map(str::to_owned).into()
}

/// What ends a clause: within it a cue is taken to speak of every item that is named.
const CLAUSE_ENDS: [&str; 14] = [
    ".", "!", "?", ";", ",", "\n", "\r", "\u{2028}", "。", "！", "？", "；", "，", " but ",
];

/// Credit for a step that rejects an item which is no target.
///
/// The step penalty can only punish: it tells a step that fell for the wrong item from the others,
/// but not a step that weighed and excluded one from a step that says nothing. This rule rewards
/// the exclusion, which is the reasoning that a choice among candidates asks for. It reads cues, not
/// meaning, so keep its ratio near 1.
///
/// ```
/// use rerec_advantage::{
///     CreditAssigner, CreditConfig, ItemNames, RejectionConfig, JudgedResponse, RuleConfig,
/// };
///
/// let rules = vec![RuleConfig::RejectedCandidate(RejectionConfig::english(1.1))];
/// let assigner = CreditAssigner::new(CreditConfig { rules, ..Default::default() })?;
/// let lexicon = assigner.lexicon(["Heat (1995)", "Ed (1996)"].map(ItemNames::from_title))?;
/// let judged = JudgedResponse {
///     response: "Ed is not a thriller.\nHeat is.",
///     token_byte_lens: &[22, 8],
///     answer: None,
///     targets: &["Heat (1995)"],
///     reward: 0.5,
/// };
/// // The first step excludes a wrong candidate: 1.1 of 0.5.
/// assert_eq!(assigner.assign(&judged, &lexicon)?.token_rewards, [0.55, 0.5]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug)]
pub struct RejectedCandidate {
    detector: Detector,
}

/// Penalty for a step that rejects a target.
///
/// A response may argue a target away and still recommend it, or recommend something else that no
/// step names; the step penalty then reaches nothing. This rule finds the step that went wrong.
///
/// ```
/// use rerec_advantage::{
///     CreditAssigner, CreditConfig, ItemNames, RejectionConfig, JudgedResponse, RuleConfig,
/// };
///
/// let rules = vec![RuleConfig::RejectedTarget(RejectionConfig::english(0.8))];
/// let assigner = CreditAssigner::new(CreditConfig { rules, ..Default::default() })?;
/// let lexicon = assigner.lexicon(["Heat (1995)", "Ed (1996)"].map(ItemNames::from_title))?;
/// let judged = JudgedResponse {
///     response: "Heat is not a comedy.\nEd is.",
///     token_byte_lens: &[22, 6],
///     answer: None,
///     targets: &["Heat (1995)"],
///     reward: 0.5,
/// };
/// // The first step argues the target away: 0.8 of 0.5.
/// assert_eq!(assigner.assign(&judged, &lexicon)?.token_rewards, [0.4, 0.5]);
/// # Ok::<(), rerec_advantage::Error>(())
/// ```
#[derive(Debug)]
pub struct RejectedTarget {
    detector: Detector,
}

impl RejectedCandidate {
    /// Checks the settings.
    ///
    /// # Errors
    /// A ratio that is negative or not finite, a blank cue.
    pub fn new(config: RejectionConfig) -> Result<Self> {
        Ok(Self {
            detector: Detector::new(config)?,
        })
    }
}

impl RejectedTarget {
    /// Checks the settings.
    ///
    /// # Errors
    /// A ratio that is negative or not finite, a blank cue.
    pub fn new(config: RejectionConfig) -> Result<Self> {
        Ok(Self {
            detector: Detector::new(config)?,
        })
    }
}

impl CreditRule for RejectedCandidate {
    fn name(&self) -> &'static str {
        "rejected-candidate"
    }

    fn ratios(&self, response: &Annotated<'_>) -> Ratios {
        // Without targets nothing is known to be a wrong candidate.
        let has_targets = !response.judged.targets.is_empty();
        self.detector
            .ratios(response, |item| has_targets && !item.is_target)
    }
}

impl CreditRule for RejectedTarget {
    fn name(&self) -> &'static str {
        "rejected-target"
    }

    fn ratios(&self, response: &Annotated<'_>) -> Ratios {
        self.detector.ratios(response, |item| item.is_target)
    }
}

/// Finds the clauses that hold a cue.
#[derive(Debug)]
struct Detector {
    ratio: f64,
    cues: AhoCorasick,
    clause_ends: AhoCorasick,
}

impl Detector {
    fn new(config: RejectionConfig) -> Result<Self> {
        check_at_least_0("ratio", config.ratio)?;
        if let Some(index) = config.cues.iter().position(|cue| cue.trim().is_empty()) {
            let value = config.cues[index].clone();
            return Err(Error::Blank {
                what: "cue",
                index,
                value,
            });
        }
        let search = |words: &[String]| {
            let built = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .build(words.iter().map(|word| straight(word).into_owned()));
            built.map_err(|source| Error::TooManyNames {
                items: words.len(),
                source,
            })
        };
        Ok(Self {
            ratio: config.ratio,
            cues: search(&config.cues)?,
            clause_ends: search(&CLAUSE_ENDS.map(str::to_owned))?,
        })
    }

    fn ratios(
        &self,
        response: &Annotated<'_>,
        is_meant: impl Fn(&MentionedItem<'_>) -> bool,
    ) -> Ratios {
        let text = response.judged.response;
        let rejects = |index: usize, span: &Range<usize>| {
            let named = response.mentions_in(index).iter();
            let mut meant = named
                .filter(|mention| response.item(mention).is_some_and(&is_meant))
                .map(|mention| mention.span.clone())
                .peekable();
            meant.peek().is_some() && self.rejects(text, span, meant)
        };
        let ratios = response
            .segments
            .iter()
            .enumerate()
            .map(|(index, segment)| {
                let reasons = segment.kind == SegmentKind::Reasoning;
                if reasons && rejects(index, &segment.span) {
                    self.ratio
                } else {
                    1.0
                }
            });
        Ratios::PerSegment {
            ratios: ratios.collect(),
            elsewhere: 1.0,
        }
    }

    /// Whether a clause of a segment holds both a cue and one of some names, which come in order.
    fn rejects(
        &self,
        text: &str,
        segment: &Range<usize>,
        names: impl Iterator<Item = Range<usize>>,
    ) -> bool {
        // One walk over clause ends and names side by side: both come in order, so the work is linear in the segment.
        let Some(part) = text.get(segment.clone()) else {
            return false;
        };
        let within = |at: usize| at + segment.start;
        let mut names = names.peekable();
        let mut start = segment.start;
        let ends = self
            .clause_ends
            .find_iter(part)
            .map(|found| within(found.start()));
        for end in ends.chain([segment.end]) {
            // A mark inside a name, as in "Mr. Right", ends no clause.
            let inside_name = names
                .peek()
                .is_some_and(|name| name.start < end && end < name.end);
            if inside_name {
                continue;
            }
            let mut named = false;
            while names.next_if(|name| name.start < end).is_some() {
                named = true;
            }
            if named
                && text
                    .get(start..end)
                    .is_some_and(|clause| self.holds_cue(clause))
            {
                return true;
            }
            start = end;
        }
        false
    }

    fn holds_cue(&self, clause: &str) -> bool {
        let clause = &*straight(clause);
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        // Overlapping: "not" must not hide "cannot", nor a cue that is no whole word one that is.
        self.cues.find_overlapping_iter(clause).any(|cue| {
            let before = clause[..cue.start()].chars().next_back();
            let after = clause[cue.end()..].chars().next();
            !is_word(before) && !is_word(after)
        })
    }
}

/// A text with straight apostrophes: "isn’t" is "isn't".
fn straight(text: &str) -> Cow<'_, str> {
    if text.contains('’') {
        text.replace('’', "'").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        CreditAssigner, CreditConfig, Error, ItemNames, JudgedResponse, RejectionConfig, RuleConfig,
    };

    /// The ratios of the steps of a response to which Heat is the right answer.
    fn ratios(rule: RuleConfig, response: &str) -> Vec<f64> {
        let config = CreditConfig {
            rules: vec![rule],
            ..Default::default()
        };
        let assigner = CreditAssigner::new(config).unwrap();
        let items = ["Heat (1995)", "Mr. Right (2015)"].map(ItemNames::from_title);
        let lexicon = assigner.lexicon(items).unwrap();
        let judged = JudgedResponse {
            response,
            token_byte_lens: &[response.len() as u32],
            answer: None,
            targets: &["Heat (1995)"],
            reward: 1.0,
        };
        assigner
            .assign(&judged, &lexicon)
            .unwrap()
            .steps
            .iter()
            .map(|step| step.ratio)
            .collect()
    }

    #[test]
    fn a_clause_with_a_name_and_a_cue_rejects() {
        let candidate = || RuleConfig::RejectedCandidate(RejectionConfig::english(1.1));
        assert_eq!(ratios(candidate(), "Mr. Right is not a thriller."), [1.1]);
        assert_eq!(ratios(candidate(), "I rule out Mr. Right."), [1.1]);
        assert_eq!(ratios(candidate(), "Mr. Right isn’t a thriller."), [1.1]);
        assert_eq!(
            ratios(candidate(), "Heat is not a comedy.\nMr. Right is."),
            [1.0, 1.0]
        );
        assert_eq!(
            ratios(candidate(), "Mr. Right fits, another does not."),
            [1.0]
        );
        assert_eq!(ratios(candidate(), "Mr. Right is a knot."), [1.0]);
        let target = RuleConfig::RejectedTarget(RejectionConfig::english(0.8));
        assert_eq!(
            ratios(target, "Heat is NOT a comedy.\nMr. Right is not."),
            [0.8, 1.0]
        );
    }

    #[test]
    fn cues_with_typographic_apostrophes_are_found_in_either_spelling() {
        let cues = vec!["ain’t".to_owned()];
        let rule = || {
            RuleConfig::RejectedTarget(RejectionConfig {
                ratio: 0.8,
                cues: cues.clone(),
            })
        };
        assert_eq!(ratios(rule(), "Heat ain't it.\nHeat ain’t it."), [0.8, 0.8]);
    }

    #[test]
    fn blank_cues_and_bad_ratios_are_refused() {
        let rule = |ratio, cue: &str| {
            let config = RejectionConfig {
                ratio,
                cues: vec!["not".to_owned(), cue.to_owned()],
            };
            CreditAssigner::new(CreditConfig {
                rules: vec![RuleConfig::RejectedTarget(config)],
                ..Default::default()
            })
        };
        let error = rule(0.8, " ").unwrap_err();
        assert_eq!(error.to_string(), "cue 1 must not be blank, got \" \"");
        assert!(matches!(
            rule(f64::NAN, "no").unwrap_err(),
            Error::InvalidSetting {
                setting: "ratio",
                ..
            }
        ));
    }
}
