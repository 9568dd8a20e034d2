//! RAAE in a training loop written by hand: `cargo run -p rerec-examples --example advantage_in_a_loop`.
//!
//! The policy is as small as can be: it writes one step that names an item, then an answer, each drawn from its own
//! four logits. Only the answer decides the reward, so that GRPO teaches the step nothing but chance; the step
//! penalty lowers the token of a step that named the wrong answer, and RAAE makes that a gradient.
#![allow(clippy::print_stdout)]

use rand::SeedableRng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;
use rerec_advantage::{
    AdvantageEstimator, CreditAssigner, CreditConfig, Error, Groups, ItemNames, JudgedAnswer,
    JudgedResponse, Lexicon, Raae, RolloutBatch, SpreadConfig, TokenRewards,
};

const ITEMS: [&str; 4] = [
    "Heat (1995)",
    "Casino (1995)",
    "Babe (1995)",
    "Alien (1979)",
];
const TARGET: usize = 2;
const GROUP: usize = 8;
const LEARNING_RATE: f64 = 0.1;

/// Logits of the item that the step names, and of the item that the answer recommends.
type Policy = [[f64; 4]; 2];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let assigner = CreditAssigner::new(CreditConfig::default())?;
    let lexicon = assigner.lexicon(ITEMS.map(ItemNames::from_title))?;
    let raae = Raae::new(SpreadConfig::default())?;
    let groups = Groups::from_sizes(&[GROUP])?;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut policy: Policy = [[0.0; 4]; 2];
    let (mut right, mut skipped) = (0, 0);

    for step in 1..=200 {
        let [named, recommended] = [
            WeightedIndex::new(softmax(policy[0]))?,
            WeightedIndex::new(softmax(policy[1]))?,
        ];
        let samples: Vec<[usize; 2]> = (0..GROUP)
            .map(|_| [named.sample(&mut random), recommended.sample(&mut random)])
            .collect();
        right += samples.iter().filter(|sample| sample[1] == TARGET).count();

        // One row a response: the tokens of its step and of its answer.
        let rewards = samples
            .iter()
            .map(|sample| token_rewards(&assigner, &lexicon, *sample));
        let rewards = TokenRewards::from_rows(rewards.collect::<Result<Vec<_>, _>>()?);
        let batch = RolloutBatch::new(&groups, &rewards)?;
        let advantages = raae.estimate(&batch)?;
        if advantages.has_signal(0) {
            let advantages = advantages.into_tokens(&batch);
            for (sample, advantages) in samples.iter().zip(advantages.rows()) {
                update(&mut policy, *sample, advantages);
            }
        } else {
            skipped += 1;
        }
        if step % 40 == 0 {
            println!(
                "step {step:3}: {:5.1} % right, {skipped} groups without a signal",
                right as f64 / (40 * GROUP) as f64 * 100.0
            );
            (right, skipped) = (0, 0);
        }
    }
    Ok(())
}

/// The rewards of the two tokens of a response: its step, and its answer.
fn token_rewards(
    assigner: &CreditAssigner,
    lexicon: &Lexicon,
    sample: [usize; 2],
) -> Result<Vec<f64>, Error> {
    let [named, recommended] = sample.map(|item| ITEMS[item]);
    let step = format!("Perhaps {named}.\n");
    let response = format!("{step}\\boxed{{{recommended}}}");
    let is_right = sample[1] == TARGET;
    let judged = JudgedResponse {
        response: &response,
        token_byte_lens: &[step.len() as u32, (response.len() - step.len()) as u32],
        answer: Some(JudgedAnswer {
            span: step.len()..response.len(),
            items: &[recommended],
            is_right,
        }),
        targets: &[ITEMS[TARGET]],
        reward: if is_right { 1.05 } else { 0.05 },
    };
    Ok(assigner.assign(&judged, lexicon)?.token_rewards)
}

/// One step up the policy gradient, `A * (onehot - p)` for each token's logits, averaged over the group.
fn update(policy: &mut Policy, sample: [usize; 2], advantages: &[f64]) {
    for ((logits, chosen), advantage) in policy.iter_mut().zip(sample).zip(advantages) {
        let probabilities = softmax(*logits);
        for (item, (logit, p)) in logits.iter_mut().zip(probabilities).enumerate() {
            let chosen = f64::from(u8::from(item == chosen));
            *logit += LEARNING_RATE * advantage * (chosen - p) / GROUP as f64;
        }
    }
}

fn softmax(logits: [f64; 4]) -> [f64; 4] {
    let exponentials = logits.map(f64::exp);
    let sum: f64 = exponentials.iter().sum();
    exponentials.map(|e| e / sum)
}
