//! What must hold for any text, any split of its bytes and any rewards.
#![allow(clippy::unwrap_used)]

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use rerec_advantage::{
    CreditAssigner, CreditConfig, DecreaseConfig, Error, EstimatorConfig, Explanation, Groups,
    ItemNames, JudgedAnswer, JudgedResponse, Lexicon, MentionMode, Nested, Paragraphs, Penalised,
    Ragged, RejectionConfig, RolloutBatch, RuleConfig, Segment, Segmenter, Sentences, Split,
    StepMarkers, StepPenaltyConfig, ThinkTags, TokenMask, TokenRewards, TokenSpans, lossy_text,
};
use rerec_text::fold;

/// Texts made of what segmenters and matchers look for, and of anything else.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "\n", "\r\n", "\r", "\u{2028}", "\u{85}", "\u{b}", " ", ". ", "1. ", "Step 2: ", "- ", "<think>",
            "</think>", "<answer>", "</answer>", "Go", "Good", "go ", "Toy Story", "Toy Story 2", "(1995)",
            " (1995)", "英雄", "英雄本色", "。", "é", "e\u{301}", "🎬", "\u{301}", "not ", ", but ", "İ", "각",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A text and a split of its bytes into tokens, some of them special.
fn tokenised() -> impl Strategy<Value = (String, Vec<u32>)> {
    (text(), vec(0_u32..7, 1..40)).prop_map(|(text, lengths)| {
        let mut left = text.len() as u32;
        let mut split: Vec<u32> = Vec::new();
        for length in lengths.into_iter().chain(std::iter::repeat(5)) {
            if left == 0 {
                break;
            }
            split.push(length.min(left));
            left -= length.min(left);
        }
        (text, split)
    })
}

fn segmenters() -> Vec<Box<dyn Segmenter>> {
    vec![
        Box::new(Paragraphs),
        Box::new(Sentences),
        Box::new(StepMarkers),
        Box::new(ThinkTags),
        Box::new(
            Nested::of(&[Split::Think, Split::Step, Split::Paragraph, Split::Sentence]).unwrap(),
        ),
    ]
}

const TITLES: [&str; 5] = [
    "Go (1999)",
    "Toy Story (1995)",
    "Toy Story 2 (1999)",
    "英雄",
    "Amélie (2001)",
];

fn penalty(on: Penalised) -> RuleConfig {
    RuleConfig::StepPenalty(StepPenaltyConfig {
        on,
        ..Default::default()
    })
}

fn every_rule() -> Vec<RuleConfig> {
    vec![
        penalty(Penalised::Steps),
        penalty(Penalised::Verdicts),
        RuleConfig::Decrease(DecreaseConfig::default()),
        RuleConfig::RejectedCandidate(RejectionConfig::english(1.1)),
        RuleConfig::RejectedTarget(RejectionConfig::english(0.8)),
    ]
}

/// Two places of a text, as a span of whole characters.
fn answer_span(text: &str, at: (prop::sample::Index, prop::sample::Index)) -> Option<Range<usize>> {
    let places: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let (a, b) = (*at.0.get(&places), *at.1.get(&places));
    (a != b).then_some(a.min(b)..a.max(b))
}

fn tiles(text: &str, segments: &[Segment]) -> bool {
    let joined: String = segments
        .iter()
        .map(|segment| &text[segment.span.clone()])
        .collect();
    let nested = segments.iter().all(|Segment { span, content, .. }| {
        content.is_empty() || span.start <= content.start && content.end <= span.end
    });
    joined == text && nested && segments.iter().all(|segment| !segment.span.is_empty())
}

proptest! {
    #[test]
    fn segments_tile_any_text(text in text()) {
        for segmenter in segmenters() {
            prop_assert!(tiles(&text, &segmenter.segment(&text)), "{segmenter:?}");
        }
    }

    #[test]
    fn mentions_are_names_in_any_text(text in text()) {
        let items = TITLES.map(ItemNames::from_title);
        for mode in [MentionMode::Title, MentionMode::Substring, MentionMode::SubstringIgnoreCase] {
            let lexicon = Lexicon::new(items.clone(), mode).unwrap();
            for mention in lexicon.find(&text) {
                let name = &text[mention.span];
                let mut names = lexicon.items()[mention.item].all();
                let known = names.any(|known| fold(known) == fold(name));
                prop_assert!(known, "{name:?} is no name of item {}", mention.item);
            }
        }
    }

    /// Every byte's reward is the lowest that the segments of its token got.
    #[test]
    fn a_byte_gets_the_reward_of_its_tokens_segments(
        (text, lengths) in tokenised(),
        at in any::<(prop::sample::Index, prop::sample::Index)>(),
        reward in -2.0..2.0,
    ) {
        let assigner = CreditAssigner::new(CreditConfig::default()).unwrap();
        let lexicon = assigner.lexicon(TITLES.map(ItemNames::from_title)).unwrap();
        let span = answer_span(&text, at);
        let answer = span.map(|span| JudgedAnswer { span, items: &["Go (1999)", "Toy Story"], is_right: false });
        let judged = JudgedResponse {
            response: &text,
            token_byte_lens: &lengths,
            answer,
            targets: &["英雄"],
            reward,
        };
        let credit = assigner.assign(&judged, &lexicon).unwrap();
        prop_assert!(tiles(&text, &credit.annotated.segments));
        prop_assert_eq!(credit.token_rewards.len(), lengths.len());
        let mut start = 0;
        for (&length, &got) in lengths.iter().zip(&credit.token_rewards) {
            let bytes = start..start + length as usize;
            let touched = credit.annotated.segments.iter().zip(&credit.steps).filter(|(segment, _)| {
                bytes.clone().any(|byte| segment.content.contains(&byte))
            });
            let ratio = touched.map(|(_, step)| step.ratio).fold(1.0, f64::min);
            prop_assert!((got - (reward + (ratio - 1.0) * reward.abs())).abs() < 1e-12);
            prop_assert!(got <= reward);
            start = bytes.end;
        }
    }

    #[test]
    fn all_rules_together_survive_any_response(
        (text, lengths) in tokenised(),
        at in any::<(prop::sample::Index, prop::sample::Index)>(),
        is_right in any::<bool>(),
        split in vec(prop::sample::select(vec![Split::Paragraph, Split::Sentence, Split::Step, Split::Think]), 1..4),
    ) {
        let config = CreditConfig { split, rules: every_rule(), ..Default::default() };
        let assigner = CreditAssigner::new(config).unwrap();
        let lexicon = assigner.lexicon(TITLES.map(ItemNames::from_title)).unwrap();
        let answer = answer_span(&text, at).map(|span| JudgedAnswer { span, items: &["Go (1999)"], is_right });
        let judged = JudgedResponse {
            response: &text, token_byte_lens: &lengths, answer, targets: &["Toy Story (1995)"], reward: 1.05,
        };
        let credit = assigner.assign(&judged, &lexicon).unwrap();
        prop_assert!(credit.token_rewards.iter().all(|reward| reward.is_finite() && *reward >= 0.0));
        let explanation = Explanation::new(&credit, Some(&credit.token_rewards)).unwrap();
        prop_assert!(explanation.to_string().lines().count() >= 2);
    }

    #[test]
    fn a_narrower_penalty_falls_on_tokens_of_the_wider_one(
        (text, lengths) in tokenised(),
        at in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let token_rewards = |on| {
            let config = CreditConfig { rules: vec![penalty(on)], ..Default::default() };
            let assigner = CreditAssigner::new(config).unwrap();
            let lexicon = assigner.lexicon(TITLES.map(ItemNames::from_title)).unwrap();
            let answer = answer_span(&text, at)
                .map(|span| JudgedAnswer { span, items: &["Go (1999)"], is_right: false });
            let judged = JudgedResponse {
                response: &text, token_byte_lens: &lengths, answer, targets: &["Toy Story (1995)"], reward: 1.05,
            };
            assigner.assign(&judged, &lexicon).unwrap().token_rewards
        };
        let steps = token_rewards(Penalised::Steps);
        for narrower in [Penalised::Verdicts, Penalised::FirstStep] {
            let rewards = token_rewards(narrower);
            prop_assert!(rewards.iter().zip(&steps).all(|(narrow, wide)| narrow >= wide));
        }
    }

    #[test]
    fn any_lengths_and_spans_are_judged_without_a_panic(
        text in text(),
        lengths in vec(any::<u32>(), 0..6),
        (start, end) in any::<(usize, usize)>(),
        reward in any::<f64>(),
    ) {
        let assigner = CreditAssigner::new(CreditConfig::default()).unwrap();
        let answer = Some(JudgedAnswer { span: start..end, items: &["Go"], is_right: false });
        let judged = JudgedResponse {
            response: &text, token_byte_lens: &lengths, answer, targets: &["Up"], reward,
        };
        if let Ok(credit) = assigner.assign(&judged, &Lexicon::new([], MentionMode::Title).unwrap()) {
            prop_assert_eq!(credit.token_rewards.len(), lengths.len());
        }
    }

    #[test]
    fn overlapping_tokens_are_those_that_share_a_byte(
        (text, lengths) in tokenised(),
        at in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let spans = TokenSpans::new(&text, &lengths).unwrap();
        let Some(span) = answer_span(&text, at) else { return Ok(()) };
        let found = spans.overlapping(&span);
        for (token, bytes) in spans.iter().enumerate().filter(|(_, bytes)| !bytes.is_empty()) {
            let shares = bytes.start < span.end && span.start < bytes.end;
            prop_assert_eq!(found.contains(&token), shares);
        }
    }

    #[test]
    fn lossy_lengths_add_up(bytes in vec(any::<u8>(), 0..40), cuts in vec(0_u32..5, 0..40)) {
        let mut left = bytes.len() as u32;
        let mut lengths: Vec<u32> = cuts.iter().map(|&cut| { let held = cut.min(left); left -= held; held }).collect();
        lengths.push(left);
        let lossy = lossy_text(&bytes, &lengths).unwrap();
        prop_assert_eq!(&lossy.text, &String::from_utf8_lossy(&bytes));
        prop_assert!(TokenSpans::new(&lossy.text, &lossy.token_byte_lens).is_ok());
    }
}

/// Ragged rewards with a group id a response.
fn batch() -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<u8>)> {
    vec((vec(-2.0..2.0, 0..9), 0_u8..3), 1..9).prop_map(|rows| rows.into_iter().unzip())
}

const NAMES: [&str; 11] = [
    "raae",
    "grpo",
    "dr_grpo",
    "rloo",
    "opo",
    "gpg",
    "pass_k",
    "reinforce_pp",
    "reinforce_pp_baseline",
    "remax",
    "gae",
];

fn estimate(
    name: &str,
    rows: &[Vec<f64>],
    ids: &[u8],
    mask: Option<&TokenMask>,
) -> Result<(Ragged<f64>, Vec<bool>), Error> {
    let config: EstimatorConfig = toml::from_str(&format!("estimator = '{name}'")).unwrap();
    let (groups, rewards) = (Groups::from_ids(ids), TokenRewards::from_rows(rows));
    let values = Ragged::from_rows(rows.iter().map(|row| vec![0.0; row.len()]));
    let baselines = vec![0.0; rows.len()];
    let batch = RolloutBatch::new(&groups, &rewards)?;
    let mut batch = batch.with_values(&values)?.with_baselines(&baselines)?;
    if let Some(mask) = mask {
        batch = batch.with_mask(mask)?;
    }
    let advantages = config.build()?.estimate(&batch)?;
    let signal = advantages.signals().to_vec();
    Ok((advantages.into_tokens(&batch), signal))
}

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() <= 1e-6 * a.abs().max(1.0))
}

proptest! {
    #[test]
    fn the_order_of_responses_does_not_matter((rows, ids) in batch()) {
        let back = |rows: &[Vec<f64>]| rows.iter().rev().cloned().collect::<Vec<_>>();
        let reversed_ids: Vec<u8> = ids.iter().rev().copied().collect();
        // Of equal best responses pass@k takes the first, so it is left out.
        for name in NAMES.iter().filter(|name| **name != "pass_k") {
            let (forth, _) = estimate(name, &rows, &ids, None).unwrap();
            let (reversed, _) = estimate(name, &back(&rows), &reversed_ids, None).unwrap();
            let forth: Vec<Vec<f64>> = forth.rows().map(<[f64]>::to_vec).collect();
            prop_assert!(close(&back(&forth).concat(), reversed.values()), "{name}");
        }
    }

    #[test]
    fn masked_tokens_are_inert((rows, ids) in batch(), noise in prop_oneof![-9.0..9.0, Just(f64::NAN)]) {
        // A masked token after the first of each response, with whatever reward.
        let insert = |row: &Vec<f64>| { let mut row = row.clone(); row.insert(row.len().min(1), noise); row };
        let noisy: Vec<Vec<f64>> = rows.iter().map(insert).collect();
        let mask = TokenMask::from_rows(rows.iter().map(|row| {
            (0..=row.len()).map(|token| token != row.len().min(1)).collect::<Vec<_>>()
        }));
        for name in NAMES {
            let Ok((plain, signal)) = estimate(name, &rows, &ids, None) else { continue };
            let values_are_noisy = noise.is_nan() && name == "gae";
            if values_are_noisy { continue }
            let (masked, masked_signal) = estimate(name, &noisy, &ids, Some(&mask)).unwrap();
            let valid = masked.values().iter().zip(mask.values()).filter(|(_, valid)| **valid);
            let valid: Vec<f64> = valid.map(|(advantage, _)| *advantage).collect();
            prop_assert!(close(plain.values(), &valid), "{name}");
            let outside = masked.values().iter().zip(mask.values()).filter(|(_, valid)| !**valid);
            prop_assert!(outside.into_iter().all(|(advantage, _)| *advantage == 0.0), "{name}");
            prop_assert_eq!(signal, masked_signal, "{}", name);
        }
    }

    #[test]
    fn a_shift_of_all_rewards_changes_no_comparison(
        (rows, ids) in batch(), shift in -5.0..5.0,
    ) {
        let shifted: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(|r| r + shift).collect()).collect();
        let (plain, _) = estimate("raae", &rows, &ids, None).unwrap();
        let (moved, _) = estimate("raae", &shifted, &ids, None).unwrap();
        prop_assert!(close(plain.values(), moved.values()));
    }

    #[test]
    fn a_scale_of_all_rewards_nearly_cancels((rows, ids) in batch(), scale in 1.0..50.0) {
        let scaled: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(|r| r * scale).collect()).collect();
        let (plain, _) = estimate("raae", &rows, &ids, None).unwrap();
        let (times, _) = estimate("raae", &scaled, &ids, None).unwrap();
        for (plain, times) in plain.values().iter().zip(times.values()) {
            // eps weighs less against a larger spread: never smaller, never of another sign.
            prop_assert!(plain.abs() <= times.abs() + 1e-12 && plain * times >= 0.0);
        }
    }

    #[test]
    fn equal_rewards_have_no_advantage_at_all(reward in -2.0..2.0, lengths in vec(0_usize..9, 2..9)) {
        let rows: Vec<Vec<f64>> = lengths.iter().map(|&length| vec![reward; length]).collect();
        let (advantages, signal) = estimate("raae", &rows, &vec![0; rows.len()], None).unwrap();
        prop_assert!(advantages.values().iter().all(|advantage| *advantage == 0.0));
        prop_assert_eq!(signal, [false]);
        let groups = Groups::from_sizes(&[lengths.len()]).unwrap();
        let outcomes = vec![reward; lengths.len()];
        let batch = RolloutBatch::from_outcomes(&groups, &outcomes, &lengths).unwrap();
        for name in ["raae", "grpo", "dr_grpo", "rloo", "opo", "gpg", "pass_k", "reinforce_pp", "reinforce_pp_baseline"] {
            let config: EstimatorConfig = toml::from_str(&format!("estimator = '{name}'")).unwrap();
            let advantages = config.build().unwrap().estimate(&batch).unwrap();
            prop_assert!(!advantages.has_signal(0), "{}", name);
            prop_assert!(advantages.into_tokens(&batch).values().iter().all(|a| *a == 0.0), "{}", name);
        }
    }

    #[test]
    fn any_rewards_give_finite_advantages_or_an_error(
        rows in vec(vec(any::<f64>(), 0..5), 1..6), size in 1_u8..4,
    ) {
        let ids: Vec<u8> = (0..rows.len() as u8).map(|response| response / size).collect();
        for name in NAMES {
            if let Ok((advantages, _)) = estimate(name, &rows, &ids, None) {
                let finite = advantages.values().iter().all(|advantage| advantage.is_finite());
                prop_assert!(finite, "{name} {advantages:?}");
            }
        }
    }
}

#[test]
fn presets_differ_where_the_systems_do() {
    use rerec_advantage::Preset;
    let groups = Groups::from_sizes(&[2]).unwrap();
    let batch = RolloutBatch::from_outcomes(&groups, &[0.0, 1.0], &[3, 3]).unwrap();
    let first = |preset| {
        let config = EstimatorConfig::Grpo(Default::default()).with_preset(preset);
        config
            .build()
            .unwrap()
            .estimate(&batch)
            .unwrap()
            .into_tokens(&batch)
            .values()[0]
    };
    // -0.5 / (sqrt(1/2) + eps)
    for (preset, eps) in [
        (Preset::Verl, 1e-6),
        (Preset::Trl, 1e-4),
        (Preset::OpenRlhf, 1e-9),
    ] {
        approx::assert_abs_diff_eq!(
            first(preset),
            -0.5 / (0.5_f64.sqrt() + eps),
            epsilon = 1e-12
        );
    }
    let alone = Groups::from_sizes(&[2, 1]).unwrap();
    let batch = RolloutBatch::from_outcomes(&alone, &[0.0, 1.0, 1.0], &[3, 3, 3]).unwrap();
    let rloo = EstimatorConfig::Rloo(Default::default())
        .with_preset(Preset::Trl)
        .build()
        .unwrap();
    let error = rloo.estimate(&batch).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rloo needs at least 2 responses in a group, got 1 in group 1"
    );
}
