//! Token rewards of a response and advantages of a batch, on one thread.
//!
//! Baselines on 2 cores. `credit`: the authors' Python takes 4.4 ms for the rule and 9.7 ms for the
//! decrease mode on 512 tokens, and grows with their square; at most 15 us here. It is all of
//! `CreditAssigner::assign`, from the text to the token rewards. Not in it: the lexicon, which is
//! built once a query and shared by its responses (`lexicon`). `group` is both, for a query and its
//! five responses. `raae` over
//! 512 x 5 x 768 tokens: vectorised torch 3.4 ms, verl's own loop 38-68 ms; at most 2.5 ms here.
//! `grpo` over 512 x 5 rewards: TRL's maths 0.18 ms.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rerec_advantage::{
    AdvantageEstimator, CreditAssigner, CreditConfig, DecreaseConfig, Groups, Grpo, GrpoConfig,
    ItemNames, JudgedAnswer, JudgedResponse, Lexicon, Raae, RolloutBatch, RuleConfig, SpreadConfig,
    StepPenaltyConfig, TokenRewards,
};

/// A response of about `tokens` tokens of 4.4 bytes that discusses the candidates in turn, a
/// paragraph each, and recommends the second.
struct Response {
    text: String,
    token_byte_lens: Vec<u32>,
    titles: Vec<String>,
}

impl Response {
    fn new(tokens: usize, candidates: usize, accent: &str) -> Self {
        let title = |item: usize| {
            format!(
                "The {} of Story {item} ({})",
                NAMES[item % NAMES.len()],
                1950 + item % 60
            )
        };
        let titles: Vec<String> = (0..candidates).map(title).collect();
        let answer = format!("\\boxed{{{}}}", titles[1]);
        let bytes = tokens * 22 / 5 - answer.len();
        let mut text = String::new();
        for item in (0..candidates).cycle() {
            if text.len() >= bytes {
                break;
            }
            let named = &titles[item];
            text += &format!(
                "{named} has the right mood{accent}, but the tone differs from what was asked.\n\n"
            );
            text +=
                "Nothing else stands out here, so the list has to be read once more in full.\n\n";
        }
        text += &answer;
        let mut left = text.len() as u32;
        let token_byte_lens = [3, 5, 6, 1, 7]
            .into_iter()
            .cycle()
            .map_while(|length: u32| {
                let held = length.min(left);
                left -= held;
                (held > 0).then_some(held)
            });
        Self {
            token_byte_lens: token_byte_lens.collect(),
            text,
            titles,
        }
    }

    /// With a wrong answer at the end.
    fn judged<'a>(&'a self, items: &'a [&'a str], targets: &'a [&'a str]) -> JudgedResponse<'a> {
        let start = self.text.rfind("\\boxed").unwrap();
        JudgedResponse {
            response: &self.text,
            token_byte_lens: &self.token_byte_lens,
            answer: Some(JudgedAnswer {
                span: start..self.text.len(),
                items,
                is_right: false,
            }),
            targets,
            reward: 0.05,
        }
    }

    fn items(&self) -> impl Iterator<Item = ItemNames> {
        self.titles.iter().map(ItemNames::from_title)
    }
}

const NAMES: [&str; 10] = [
    "Commitments",
    "Edge",
    "Thing",
    "Lion",
    "Crossing",
    "Barbarian",
    "Pawnbroker",
    "Cure",
    "Road",
    "House",
];

fn assigner(rule: RuleConfig) -> CreditAssigner {
    CreditAssigner::new(CreditConfig {
        rules: vec![rule],
        ..Default::default()
    })
    .unwrap()
}

fn bench_credit(c: &mut Criterion, id: BenchmarkId, response: &Response, rule: RuleConfig) {
    let assigner = assigner(rule);
    let lexicon = assigner.lexicon(response.items()).unwrap();
    let (items, targets) = ([response.titles[1].as_str()], [response.titles[0].as_str()]);
    let judged = response.judged(&items, &targets);
    let credit = assigner.assign(&judged, &lexicon).unwrap();
    assert!(
        credit.token_rewards.iter().any(|reward| *reward < 0.05),
        "no token was punished"
    );
    let mut group = c.benchmark_group("credit");
    group.throughput(Throughput::Elements(response.token_byte_lens.len() as u64));
    group.bench_function(id, |b| {
        b.iter(|| {
            assigner
                .assign(black_box(&judged), &lexicon)
                .unwrap()
                .token_rewards
        });
    });
}

fn credit(c: &mut Criterion) {
    let rule = RuleConfig::StepPenalty(StepPenaltyConfig::default());
    let decrease = RuleConfig::Decrease(DecreaseConfig::default());
    let response = Response::new(512, 20, "");
    bench_credit(
        c,
        BenchmarkId::new("decrease", "512x20"),
        &response,
        decrease,
    );
    let accented = Response::new(512, 20, " (très réussi)");
    bench_credit(
        c,
        BenchmarkId::new("rule_accented", "512x20"),
        &accented,
        rule.clone(),
    );
    for (tokens, candidates) in [
        (512, 20),
        (2_048, 20),
        (8_192, 20),
        (32_768, 20),
        (512, 100),
        (512, 1_000),
    ] {
        let response = Response::new(tokens, candidates, "");
        let id = BenchmarkId::new("rule", format!("{tokens}x{candidates}"));
        bench_credit(c, id, &response, rule.clone());
    }
}

/// A query and its five responses: the lexicon once, five times the rest.
fn group(c: &mut Criterion) {
    let response = Response::new(512, 20, "");
    let assigner = assigner(RuleConfig::StepPenalty(StepPenaltyConfig::default()));
    let (items, targets) = ([response.titles[1].as_str()], [response.titles[0].as_str()]);
    let judged = response.judged(&items, &targets);
    let mut group = c.benchmark_group("group");
    group.throughput(Throughput::Elements(5));
    group.bench_function("5x512x20", |b| {
        b.iter(|| {
            let lexicon = assigner.lexicon(response.items()).unwrap();
            let rewards = |_| {
                assigner
                    .assign(black_box(&judged), &lexicon)
                    .unwrap()
                    .token_rewards
            };
            [(); 5].map(rewards)
        });
    });
}

fn lexicon(c: &mut Criterion) {
    for candidates in [2, 20, 1_000] {
        let response = Response::new(512, candidates, "");
        let assigner = assigner(RuleConfig::StepPenalty(StepPenaltyConfig::default()));
        let build = || -> Lexicon { assigner.lexicon(black_box(response.items())).unwrap() };
        assert_eq!(build().items().len(), candidates);
        c.bench_function(&format!("lexicon/{candidates}"), |b| b.iter(build));
    }
}

fn raae(c: &mut Criterion) {
    let groups = Groups::from_sizes(&[5; 512]).unwrap();
    let reward = |i: usize| {
        if i.is_multiple_of(97) {
            0.035
        } else {
            0.05 + (i / 768 % 5) as f64
        }
    };
    let rewards = TokenRewards::new(
        (0..512 * 5 * 768).map(reward).collect(),
        (0..=512 * 5).map(|response| response * 768).collect(),
    )
    .unwrap();
    let raae = Raae::new(SpreadConfig::default()).unwrap();
    let batch = RolloutBatch::new(&groups, &rewards).unwrap();
    assert!(
        raae.estimate(&batch)
            .unwrap()
            .signals()
            .iter()
            .all(|signal| *signal)
    );
    let mut group = c.benchmark_group("raae");
    group.throughput(Throughput::Elements(rewards.values().len() as u64));
    group.bench_function("512x5x768", |b| {
        b.iter(|| raae.estimate(black_box(&batch)).unwrap())
    });
    group.bench_function("512x5x768_with_batch", |b| {
        b.iter(|| {
            raae.estimate(&RolloutBatch::new(&groups, black_box(&rewards)).unwrap())
                .unwrap()
        });
    });
}

fn grpo(c: &mut Criterion) {
    let groups = Groups::from_sizes(&[5; 512]).unwrap();
    let rewards: Vec<f64> = (0..512 * 5).map(|i| (i * 7 % 11) as f64 * 0.1).collect();
    let lengths = vec![768; rewards.len()];
    let grpo = Grpo::new(GrpoConfig::default()).unwrap();
    let batch = RolloutBatch::from_outcomes(&groups, &rewards, &lengths).unwrap();
    assert!(grpo.estimate(&batch).unwrap().has_signal(0));
    c.bench_function("grpo/512x5", |b| {
        b.iter(|| grpo.estimate(black_box(&batch)).unwrap())
    });
}

criterion_group!(benches, credit, lexicon, group, raae, grpo);
criterion_main!(benches);
