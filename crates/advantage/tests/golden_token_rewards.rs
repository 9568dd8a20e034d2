//! Token rewards against the scores of the authors' released code, corrected where it is wrong;
//! `tests/data/token_scores.json` says how (its even-numbered cases).
#![allow(clippy::unwrap_used)]

use std::ops::Range;

use rerec_advantage::{
    CreditAssigner, CreditConfig, DecreaseConfig, ItemNames, JudgedAnswer, JudgedResponse, Lexicon,
    MentionMode, RatioConfig, RuleConfig, lossy_text,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: u64,
    tags: Vec<String>,
    mode: String,
    min_ratio: f64,
    max_ratio: f64,
    reward: f64,
    ground_truth: String,
    response: String,
    byte_lens: Vec<u32>,
    raw_hex: Option<String>,
    official: Option<Vec<f64>>,
    corrected: Option<Vec<f64>>,
}

impl Case {
    fn expected(&self) -> &[f64] {
        self.corrected.as_ref().or(self.official.as_ref()).unwrap()
    }

    fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|t| t == tag)
    }

    fn targets(&self) -> Vec<&str> {
        self.ground_truth
            .split(';')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect()
    }

    /// The text and lengths, where the response was cut inside a character made to add up.
    fn text(&self) -> (String, Vec<u32>) {
        let Some(hex) = &self.raw_hex else {
            return (self.response.clone(), self.byte_lens.clone());
        };
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        let lossy = lossy_text(&bytes, &self.byte_lens).unwrap();
        assert_eq!(lossy.text, self.response);
        (lossy.text, lossy.token_byte_lens)
    }

    fn token_rewards(&self, mentions: MentionMode) -> Vec<f64> {
        let ratios = RatioConfig {
            min_ratio: self.min_ratio,
            max_ratio: self.max_ratio,
        };
        let rule = match self.mode.as_str() {
            "rule" => RuleConfig::StepPenalty(ratios.into()),
            _ => RuleConfig::Decrease(DecreaseConfig {
                ratios,
                ..Default::default()
            }),
        };
        let config = CreditConfig {
            mentions,
            rules: vec![rule],
            ..Default::default()
        };
        let assigner = CreditAssigner::new(config).unwrap();
        let (text, token_byte_lens) = self.text();
        let (span, item) = first_box(&text).unwrap_or_default();
        let targets = self.targets();
        let lexicon = Lexicon::new(targets.iter().map(|t| ItemNames::new(*t)), mentions).unwrap();
        let items = [item.as_str()];
        let is_right = targets.iter().any(|target| same_title(&item, target));
        let answer = JudgedAnswer {
            span,
            items: &items,
            is_right,
        };
        let judged = JudgedResponse {
            response: &text,
            token_byte_lens: &token_byte_lens,
            answer: (!item.is_empty()).then_some(answer),
            targets: &targets,
            reward: self.reward,
        };
        assigner.assign(&judged, &lexicon).unwrap().token_rewards
    }

    fn agrees(&self, rewards: &[f64]) -> bool {
        let expected = self.expected();
        rewards.len() == expected.len()
            && rewards
                .iter()
                .zip(expected)
                .all(|(got, expected)| (got - expected).abs() <= 1e-6)
    }
}

/// The first box up to its first brace, as the reference reads it.
fn first_box(text: &str) -> Option<(Range<usize>, String)> {
    let start = text
        .match_indices("\\boxed{")
        .map(|(at, _)| at)
        .find(|at| !text[at + 7..].starts_with('}') && text[at + 7..].contains('}'))?;
    let end = start + text[start..].find('}')? + 1;
    Some((start..end, text[start + 7..end - 1].trim().to_owned()))
}

fn same_title(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let bare = |title: &str| ItemNames::from_title(title).aliases.first().cloned();
    a == b || bare(&a).is_some_and(|a| a == b) || bare(&b).is_some_and(|b| a == b)
}

fn golden() -> Vec<Case> {
    serde_json::from_str::<Golden>(include_str!("data/token_scores.json"))
        .unwrap()
        .cases
}

/// Why a case is scored otherwise on purpose, by the tag or condition that marks it.
fn chosen_otherwise(case: &Case) -> bool {
    // A box over several lines is one answer; the reference punishes the lines inside it.
    case.has("box_over_lines")
        // U+2028 and a lone CR end a line; the reference knows LF alone.
        || case.has("u2028")
        || case.has("cr_only")
        // A ratio below 1 makes a negative reward worse; the reference makes it better.
        || (case.reward < 0.0 && case.expected().iter().any(|r| *r > case.reward))
}

#[test]
fn substring_mentions_agree_with_the_corrected_scores() {
    let mut differing = Vec::new();
    for case in golden() {
        let mode = match case.mode.as_str() {
            "rule" => MentionMode::Substring,
            _ => MentionMode::SubstringIgnoreCase,
        };
        let agrees = case.agrees(&case.token_rewards(mode));
        assert!(
            agrees || chosen_otherwise(&case),
            "case {} {:?}",
            case.id,
            case.tags
        );
        if !agrees {
            differing.push(case.id);
        }
    }
    assert_eq!(differing, [22, 68, 204, 258]);
}

#[test]
fn title_mentions_differ_only_where_capitals_do() {
    let mut differing = Vec::new();
    for case in golden().iter().filter(|case| !chosen_otherwise(case)) {
        if !case.agrees(&case.token_rewards(MentionMode::Title)) {
            differing.push(case.id);
        }
    }
    // 36: "JUMANJI" names Jumanji; 126: "toy story" does not name Toy Story.
    assert_eq!(differing, [36, 126]);
}

#[test]
fn choices_against_the_reference() {
    let cases = golden();
    let rewards = |id, mode| {
        let case = cases.iter().find(|case| case.id == id).unwrap();
        (case, case.token_rewards(mode))
    };
    // "Jumanji here" and "Jumanji there" are punished, the box between them is not.
    let (case, box_over_lines) = rewards(22, MentionMode::Substring);
    let (text, lens) = case.text();
    let box_span = first_box(&text).unwrap().0;
    let spans = rerec_advantage::TokenSpans::new(&text, &lens).unwrap();
    for token in spans.overlapping(&box_span) {
        assert_eq!(box_over_lines[token], case.reward);
    }
    assert!(box_over_lines.iter().any(|reward| *reward < case.reward));
    // Far from the target a reward of -0.55 gets worse, mirrored at -0.55.
    let (case, decreased) = rewards(204, MentionMode::SubstringIgnoreCase);
    for (got, reference) in decreased.iter().zip(case.expected()) {
        assert!((got - (2.0 * case.reward - reference)).abs() < 1e-6);
    }
}
