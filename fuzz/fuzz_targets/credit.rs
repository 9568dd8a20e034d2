//! Responses made of names, marks and anything else, under any split of their bytes, through segments, mentions and rules.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rerec_advantage::{
    Error, JudgedAnswer, Credit, CreditAssigner, CreditConfig, Decay, DecreaseConfig,
    Explanation, ItemNames, MentionMode, RatioConfig, RejectionConfig, JudgedResponse, RuleConfig, Split,
};

#[derive(Arbitrary, Debug)]
struct Input {
    titles: Vec<String>,
    pieces: Vec<Piece>,
    lengths: Vec<u8>,
    answer: Option<(u16, u16)>,
    recommended: Vec<u8>,
    unknown: Option<String>,
    targets: Vec<u8>,
    is_right: bool,
    reward: f32,
    split: u8,
    mentions: u8,
    rule: u8,
}

#[derive(Arbitrary, Debug)]
enum Piece {
    Title(u8),
    Mark(u8),
    Text(String),
}

const MARKS: [&str; 20] = [
    "\n", "\r\n", "\r", "\u{2028}", "\u{85}", " ", ". ", "1. ", "Step 2: ", "<think>", "</think>",
    "<answer>", " (1995)", "。", "e\u{301}", "\u{301}", " not ", ", but ", "İ", "が",
];

impl Input {
    fn title(&self, index: u8) -> Option<&str> {
        let last = self.titles.len().checked_sub(1)?;
        self.titles
            .get(usize::from(index).min(last))
            .map(String::as_str)
    }

    fn response(&self) -> String {
        let text = |piece: &'_ Piece| match piece {
            Piece::Title(index) => self.title(*index).unwrap_or_default().to_owned(),
            Piece::Mark(index) => MARKS[usize::from(*index) % MARKS.len()].to_owned(),
            Piece::Text(text) => text.clone(),
        };
        self.pieces.iter().map(text).collect()
    }

    /// The lengths as far as there are bytes, and one token for the rest.
    fn token_byte_lens(&self, response: &str) -> Vec<u32> {
        let mut left = response.len() as u32;
        let mut lengths: Vec<u32> = Vec::new();
        for &length in &self.lengths {
            let held = u32::from(length % 9).min(left);
            left -= held;
            lengths.push(held);
        }
        lengths.push(left);
        lengths
    }

    /// A span of whole characters.
    fn span(&self, response: &str) -> Option<std::ops::Range<usize>> {
        let (start, end) = self.answer?;
        let at = |place: u16| response.floor_char_boundary(usize::from(place));
        (at(start) < at(end)).then(|| at(start)..at(end))
    }

    fn config(&self) -> CreditConfig {
        let splits = [Split::Paragraph, Split::Sentence, Split::Step, Split::Think];
        let ratios = RatioConfig::default();
        CreditConfig {
            split: vec![
                splits[usize::from(self.split / 4 % 4)],
                splits[usize::from(self.split % 4)],
            ],
            mentions: match self.mentions % 3 {
                0 => MentionMode::Title,
                1 => MentionMode::Substring,
                _ => MentionMode::SubstringIgnoreCase,
            },
            rules: vec![match self.rule % 5 {
                0 => RuleConfig::StepPenalty(ratios.into()),
                1 => RuleConfig::RejectedCandidate(RejectionConfig::english(1.1)),
                2 => RuleConfig::RejectedTarget(RejectionConfig::english(0.8)),
                3 => RuleConfig::Decrease(DecreaseConfig::default()),
                _ => RuleConfig::Decrease(DecreaseConfig {
                    ratios,
                    decay: Decay::Exponential(0.03),
                }),
            }],
        }
    }
}

/// Segments tile the response, and every token has the least of what the segments that it holds bytes of keep.
fn check(input: &Input, credit: &Credit<'_>) {
    let annotated = &credit.annotated;
    let judged = annotated.judged;
    let mut end = 0;
    for segment in &annotated.segments {
        assert_eq!(segment.span.start, end);
        assert!(
            judged
                .response
                .get(segment.span.clone())
                .is_some_and(|text| !text.is_empty())
        );
        end = segment.span.end;
    }
    assert_eq!(end, judged.response.len());
    for mention in &annotated.mentions {
        assert!(
            judged
                .response
                .get(mention.span.clone())
                .is_some_and(|name| !name.is_empty())
        );
        assert!(mention.item < annotated.items.len());
    }
    assert_eq!(credit.token_rewards.len(), judged.token_byte_lens.len());
    assert!(credit.token_rewards.iter().all(|reward| reward.is_finite()));
    if input.rule % 5 >= 3 {
        return;
    }
    let scaled = |ratio: f64| {
        judged.reward
            * if judged.reward < 0.0 {
                2.0 - ratio
            } else {
                ratio
            }
    };
    for (token, reward) in annotated.tokens.iter().zip(&credit.token_rewards) {
        let held = annotated
            .segments
            .iter()
            .zip(&credit.steps)
            .filter(|(segment, _)| token.clone().any(|byte| segment.content.contains(&byte)));
        let ratio = held.map(|(_, step)| step.ratio).reduce(f64::min);
        assert_eq!(*reward, scaled(ratio.unwrap_or(1.0)));
    }
}

fuzz_target!(|input: Input| {
    let response = input.response();
    let token_byte_lens = input.token_byte_lens(&response);
    let mut recommended: Vec<&str> = input
        .recommended
        .iter()
        .filter_map(|&index| input.title(index))
        .collect();
    recommended.extend(input.unknown.as_deref());
    let targets: Vec<&str> = input
        .targets
        .iter()
        .filter_map(|&index| input.title(index))
        .collect();
    let assigner = CreditAssigner::new(input.config()).expect("settings in range");
    let lexicon = match assigner.lexicon(input.titles.iter().map(ItemNames::from_title)) {
        Ok(lexicon) => lexicon,
        Err(Error::Blank { .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let judged = JudgedResponse {
        response: &response,
        token_byte_lens: &token_byte_lens,
        answer: input.span(&response).map(|span| JudgedAnswer {
            span,
            items: &recommended,
            is_right: input.is_right,
        }),
        targets: &targets,
        reward: f64::from(input.reward),
    };
    match assigner.assign(&judged, &lexicon) {
        Ok(credit) => {
            check(&input, &credit);
            let rewards = credit.token_rewards.clone();
            let explanation =
                Explanation::new(&credit, Some(&rewards)).expect("one reward per token");
            let _ = explanation.to_string();
        }
        Err(Error::NonFiniteReward { .. }) => assert!(!input.reward.is_finite()),
        Err(Error::Blank { .. }) => assert!(
            input
                .unknown
                .as_deref()
                .is_some_and(|name| name.trim().is_empty())
        ),
        Err(error) => panic!("{error}"),
    }
    // Lengths that add up by chance only.
    let lengths: Vec<u32> = input
        .lengths
        .iter()
        .map(|&length| u32::from(length))
        .collect();
    let _ = assigner.assign(
        &JudgedResponse {
            token_byte_lens: &lengths,
            ..judged.clone()
        },
        &lexicon,
    );
});
