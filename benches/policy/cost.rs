//! What training costs by response length, group size and vocabulary, and where the time goes.
//!
//! The models have the shape of the given one and random weights. The layers forward are timed in a model with next to no head,
//! one of a tiny vocabulary; a step of two tokens does little more than to move the weights; the rest is the way back and the head.

use std::{path::PathBuf, time::Instant};

use clap::Args;
use rerec_policy::{
    DecoderPolicy, Finish, Learner, ModelConfig, Objective, ObjectiveConfig, Response,
    RolloutGroup, Tokenizer, TokenizerConfig,
};
use serde::{Deserialize, Serialize};

use crate::{Result, case::Precision, machine::matmul_flops};

/// Steps of which the fastest counts, after one that warms up.
const TRIES: usize = 2;
/// A vocabulary whose head costs next to nothing.
const TINY_VOCAB: usize = 512;

#[derive(Debug, Args)]
pub(crate) struct CostCase {
    /// A Hugging Face folder, for the shape in its `config.json`.
    #[arg(long)]
    model: PathBuf,
    #[arg(long)]
    precision: Precision,
    /// Tiny steps, to see that all works.
    #[arg(long)]
    quick: bool,
}

/// One step: a group of responses to one prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) vocab: usize,
    pub(crate) prompt: usize,
    pub(crate) samples: usize,
    pub(crate) response: usize,
}

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sweep {
    ResponseLength,
    GroupSize,
    Vocabulary,
}

/// The cost of one step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CostPoint {
    pub(crate) precision: Precision,
    pub(crate) sweep: Sweep,
    #[serde(flatten)]
    pub(crate) shape: Shape,
    #[serde(flatten)]
    pub(crate) parts: Parts,
    /// Operations of the matrix products with weights.
    pub(crate) matmul_flop: f64,
    /// Operations of attention.
    pub(crate) attention_flop: f64,
    /// Operations a second of a large square product.
    pub(crate) peak_flops: f64,
    /// Operations a second of a product of the feed-forward layer's shape.
    pub(crate) layer_flops: f64,
}

/// Where the seconds of a step go.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Parts {
    /// The layers forward.
    pub(crate) forward: f64,
    /// Log-probabilities and their gradient over the vocabulary, and the layers backward.
    pub(crate) backward: f64,
    /// Clipping, AdamW and what every step costs.
    pub(crate) optimizer: f64,
}

impl Parts {
    pub(crate) fn seconds(&self) -> f64 {
        self.forward + self.backward + self.optimizer
    }
}

impl Sweep {
    /// The varied value of a step.
    pub(crate) fn value(self, shape: &Shape) -> usize {
        match self {
            Self::ResponseLength => shape.response,
            Self::GroupSize => shape.samples,
            Self::Vocabulary => shape.vocab,
        }
    }
}

impl CostCase {
    /// Hands every point over as soon as it is measured.
    pub(crate) fn run(&self, mut each: impl FnMut(&CostPoint) -> Result<()>) -> Result<()> {
        let config = ModelConfig::from_folder(&self.model)?;
        let [width, inner] = [config.hidden_size, config.intermediate_size].map(|n| n as i64);
        let square = if self.quick { 256 } else { 4096 };
        let peak_flops = matmul_flops([square; 3], self.precision)?;
        let layer_flops = matmul_flops([square, width, inner], self.precision)?;
        let tiny = RandomModel::new(&config, TINY_VOCAB, self.precision)?;
        let mut model = RandomModel::new(&config, config.vocab_size, self.precision)?;
        let mut measured: Vec<(Shape, Parts)> = Vec::new();
        for (sweep, shape) in steps(self.quick, config.vocab_size) {
            let known = measured.iter().find(|(other, _)| *other == shape);
            let known = known.map(|&(_, parts)| parts);
            if known.is_none() && model.vocab != shape.vocab {
                model = RandomModel::new(&config, shape.vocab, self.precision)?;
            }
            let parts = known.map_or_else(|| parts(&mut model, &tiny, shape), Ok)?;
            measured.push((shape, parts));
            each(&CostPoint {
                precision: self.precision,
                sweep,
                shape,
                parts,
                matmul_flop: matmul_flop(&config, tiny.body, shape),
                attention_flop: attention_flop(&config, shape),
                peak_flops,
                layer_flops,
            })?;
        }
        Ok(())
    }
}

/// One value varied at a time; the vocabularies come last, as each needs a model of its own. A shape that several sweeps have is
/// measured once.
fn steps(quick: bool, vocab: usize) -> Vec<(Sweep, Shape)> {
    let base = if quick {
        Shape {
            vocab,
            prompt: 16,
            samples: 2,
            response: 8,
        }
    } else {
        Shape {
            vocab,
            prompt: 384,
            samples: 4,
            response: 128,
        }
    };
    let (lengths, samples, vocabularies): (&[usize], &[usize], &[usize]) = if quick {
        (&[4, 8], &[1, 2], &[1000, 2000])
    } else {
        (&[64, 128, 256], &[1, 4, 8], &[8_000, vocab, 150_000])
    };
    let length = |&response| (Sweep::ResponseLength, Shape { response, ..base });
    let group = |&samples| (Sweep::GroupSize, Shape { samples, ..base });
    let vocabulary = |&vocab| (Sweep::Vocabulary, Shape { vocab, ..base });
    lengths
        .iter()
        .map(length)
        .chain(samples.iter().map(group))
        .chain(vocabularies.iter().map(vocabulary))
        .collect()
}

fn parts(model: &mut RandomModel, tiny: &RandomModel, shape: Shape) -> Result<Parts> {
    let forward = tiny.forward_seconds(shape)?;
    Ok(Parts {
        forward,
        backward: model.step_seconds(shape)? - forward - model.least,
        optimizer: model.least,
    })
}

struct RandomModel {
    policy: DecoderPolicy,
    vocab: usize,
    /// Weights apart from the embedding.
    body: usize,
    /// Seconds of a step of two tokens.
    least: f64,
}

impl RandomModel {
    fn new(config: &ModelConfig, vocab: usize, precision: Precision) -> Result<Self> {
        let config = ModelConfig {
            vocab_size: vocab,
            ..config.clone()
        };
        let tokenizer = Tokenizer::train(&TokenizerConfig::new(260), [].into_iter())?;
        let policy = DecoderPolicy::from_scratch(&config, tokenizer, precision.config(), 1)?;
        let mut model = Self {
            vocab,
            body: policy.parameters() - vocab * config.hidden_size,
            policy,
            least: 0.0,
        };
        model.least = model.step_seconds(Shape {
            vocab,
            prompt: 1,
            samples: 1,
            response: 1,
        })?;
        Ok(model)
    }

    /// A prompt and its responses; ids are multiples of a large prime, which hit the vocabulary evenly.
    fn group(&self, shape: Shape) -> RolloutGroup {
        let ids = |count: usize, salt: usize| -> Vec<u32> {
            (0..count)
                .map(|i| ((i + salt) * 1_000_003 % self.vocab) as u32)
                .collect()
        };
        let response = |sample| Response {
            sample,
            token_ids: ids(shape.response, (sample + 1) * shape.response),
            token_byte_lens: vec![0; shape.response],
            // What a model with random weights gives about every token.
            log_probs: vec![-(self.vocab as f32).ln(); shape.response],
            text: String::new(),
            finish: Finish::Length,
        };
        RolloutGroup {
            query: "random".into(),
            prompt_ids: ids(shape.prompt, 0),
            temperature: 1.0,
            responses: (0..shape.samples).map(response).collect(),
        }
    }

    /// Of the fastest pass forward.
    fn forward_seconds(&self, shape: Shape) -> Result<f64> {
        let groups = [self.group(shape)];
        fastest(|| Ok(self.policy.score(&groups).map(|_| ())?))
    }

    /// Of the fastest step.
    fn step_seconds(&mut self, shape: Shape) -> Result<f64> {
        let objective = Objective::new(ObjectiveConfig {
            kl_coefficient: 0.0,
            ..ObjectiveConfig::default()
        })?;
        let group = self.group(shape);
        let advantages = [vec![1.0; shape.response], vec![-1.0; shape.response]];
        let batch = [group.with_advantages(advantages.iter().cycle().map(Vec::as_slice))];
        let policy = &mut self.policy;
        fastest(|| Ok(policy.update(&batch, &objective, 1e-6).map(|_| ())?))
    }
}

/// Seconds of the fastest of some runs after one that warms up.
fn fastest(mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    run()?;
    let mut least = f64::INFINITY;
    for _ in 0..TRIES {
        let begun = Instant::now();
        run()?;
        least = least.min(begun.elapsed().as_secs_f64());
    }
    Ok(least)
}

/// Two operations a weight and token forward, twice that backward; the prompt is read once, the last token of a response not at
/// all, and the head sees response tokens alone.
fn matmul_flop(config: &ModelConfig, body: usize, shape: Shape) -> f64 {
    let read = shape.prompt + shape.samples * (shape.response - 1);
    let head = shape.vocab * config.hidden_size * shape.samples * shape.response;
    6.0 * (body * read + head) as f64
}

/// Scores and weighted values, each two operations a head's width and pair of tokens forward, twice that backward.
fn attention_flop(config: &ModelConfig, shape: Shape) -> f64 {
    let pairs = |tokens: usize| tokens * (tokens + 1) / 2;
    let read = shape.response - 1;
    let response = read * shape.prompt + pairs(read);
    let all = pairs(shape.prompt) + shape.samples * response;
    let width = config.num_hidden_layers * config.num_attention_heads * config.head_width();
    12.0 * (width * all) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_those_counted_by_hand() {
        let config: ModelConfig = serde_json::from_value(serde_json::json!({
            "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "max_position_embeddings": 64
        }))
        .unwrap();
        let shape = Shape {
            vocab: 10,
            prompt: 3,
            samples: 2,
            response: 3,
        };
        // 3 prompt tokens and twice 2 of a response are read; the head of 80 weights sees twice 3.
        assert_eq!(matmul_flop(&config, 100, shape), 6.0 * (700.0 + 480.0));
        // Pairs: 1 + 2 + 3 in the prompt, twice 4 + 5 behind it; 2 layers of 2 heads of width 4.
        assert_eq!(attention_flop(&config, shape), 12.0 * 16.0 * 24.0);
    }

    #[test]
    fn one_value_is_varied_at_a_time() {
        let steps = steps(false, 49_152);
        let group = steps.iter().filter(|(sweep, _)| *sweep == Sweep::GroupSize);
        assert!(
            group
                .clone()
                .all(|(_, s)| s.response == 128 && s.vocab == 49_152)
        );
        assert_eq!(group.map(|(_, s)| s.samples).collect::<Vec<_>>(), [1, 4, 8]);
    }
}
