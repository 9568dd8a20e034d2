//! How much memory training takes.

use serde::{Deserialize, Serialize};

use crate::{DecoderPolicyConfig, ModelConfig, Precision, Projection};

/// The sizes of a step that memory depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSize {
    /// Prompts of a step.
    pub prompts: usize,
    /// Responses to each.
    pub samples: usize,
    /// Longest prompt, in tokens.
    pub prompt_tokens: usize,
    /// Longest response, in tokens.
    pub new_tokens: usize,
    /// Queries of the largest evaluation, each answered once.
    pub evaluated: usize,
}

/// Bytes that a decoder policy takes in training, by what takes them: an estimate from shapes.
///
/// For full training of SmolLM2-135M in f32, 1,408 tokens a pass, it says 4.5 GB where 5.0 GB were measured; in bf16 and with
/// adapters it says some 30 % less than was measured. Buffers of the allocator and of the libraries come on top.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryEstimate {
    /// The weights, and their copies in the number format of the computation.
    pub weights: u64,
    /// The reference policy.
    pub reference: u64,
    /// Gradients and AdamW's two moments of what is trained.
    pub training: u64,
    /// Activations of one forward and backward pass.
    pub activations: u64,
    /// Keys and values of the responses that are sampled side by side; not at the same time as activations.
    pub cache: u64,
}

impl MemoryEstimate {
    /// Estimates from a model's shape and the settings.
    ///
    /// ```
    /// use rerec_policy::{DecoderPolicyConfig, MemoryEstimate, ModelConfig, StepSize};
    ///
    /// let model: ModelConfig = serde_json::from_str(
    ///     r#"{"model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
    ///         "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "rms_norm_eps": 1e-5,
    ///         "max_position_embeddings": 8192, "tie_word_embeddings": true}"#,
    /// )?;
    /// let config = DecoderPolicyConfig { micro_batch_tokens: 1408, ..Default::default() };
    /// let step = StepSize { prompts: 4, samples: 8, prompt_tokens: 384, new_tokens: 128, evaluated: 0 };
    /// let memory = MemoryEstimate::of(&model, &config, step);
    /// // 134.5 million weights of 4 bytes; gradients and two moments are three times as much.
    /// assert_eq!(memory.weights / 1_000_000, 537);
    /// assert_eq!(memory.training, 3 * memory.weights);
    /// assert_eq!(memory.peak() / 100_000_000, 45);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn of(model: &ModelConfig, config: &DecoderPolicyConfig, step: StepSize) -> Self {
        let precision = config.precision.on(config.device);
        let width = precision.bytes() as u64;
        let parameters = model.parameters() as u64;
        let (weights, reference, trained) = match &config.lora {
            // What adapters stand beside is kept in the format of the computation, and is the reference too.
            Some(lora) => {
                let adapters = adapted(model, &lora.targets) * lora.rank as u64;
                (parameters * width + 4 * adapters, 4 * adapters, adapters)
            }
            None => {
                let copies = if precision == Precision::Bf16 {
                    width
                } else {
                    0
                };
                (parameters * (4 + copies), parameters * width, parameters)
            }
        };
        let cached = |responses: usize, prompts: usize| {
            let rows = config.generation_rows.min(responses);
            rows * step.new_tokens + prompts.min(rows) * step.prompt_tokens
        };
        // In an evaluation each response has a prompt of its own.
        let cached = cached(step.prompts * step.samples, step.prompts)
            .max(cached(step.evaluated, step.evaluated));
        Self {
            weights,
            reference,
            training: 12 * trained,
            activations: activations(model, config, step) * width,
            cache: model.kv_cache_bytes(cached, precision) as u64,
        }
    }

    /// The most that is held at one time.
    pub fn peak(&self) -> u64 {
        self.weights + self.reference + self.training + self.activations.max(self.cache)
    }
}

/// Numbers that one pass keeps for its way back.
fn activations(model: &ModelConfig, config: &DecoderPolicyConfig, step: StepSize) -> u64 {
    let group = step.prompt_tokens + step.samples * step.new_tokens;
    let tokens = config
        .micro_batch_tokens
        .min(step.prompts * group)
        .max(step.prompt_tokens + step.new_tokens);
    let (hidden, inner) = (model.hidden_size, model.intermediate_size);
    let queries = model.num_attention_heads * model.head_width();
    let keys = model.num_key_value_heads * model.head_width();
    // Two norms with their inputs; queries, keys and values before and after the rotary embedding; attention's output; gate, up, their
    // activation and product.
    let layer = 4 * hidden + 3 * queries + 3 * keys + 4 * inner;
    let layers = match config.gradient_checkpointing {
        // The inputs of all layers, and one layer in full.
        true => model.num_hidden_layers * hidden + layer,
        false => model.num_hidden_layers * layer,
    };
    (tokens * layers) as u64
}

/// Rows and columns of the adapted projections of all layers: with a rank, the numbers of their adapters.
fn adapted(model: &ModelConfig, targets: &[Projection]) -> u64 {
    let (hidden, inner) = (model.hidden_size, model.intermediate_size);
    let queries = model.num_attention_heads * model.head_width();
    let keys = model.num_key_value_heads * model.head_width();
    let sides = |target: &Projection| match target {
        Projection::QProj | Projection::OProj => hidden + queries,
        Projection::KProj | Projection::VProj => hidden + keys,
        Projection::GateProj | Projection::UpProj | Projection::DownProj => hidden + inner,
    };
    (model.num_hidden_layers * targets.iter().map(sides).sum::<usize>()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoraConfig;

    fn model() -> ModelConfig {
        serde_json::from_str(
            r#"{"model_type": "llama", "vocab_size": 100, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2,
                "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "max_position_embeddings": 64,
                "tie_word_embeddings": true}"#,
        )
        .unwrap()
    }

    const STEP: StepSize = StepSize {
        prompts: 2,
        samples: 3,
        prompt_tokens: 10,
        new_tokens: 4,
        evaluated: 0,
    };

    #[test]
    fn adapters_train_little_and_share_their_reference() {
        let lora = LoraConfig {
            rank: 2,
            targets: vec![Projection::QProj, Projection::DownProj],
            ..LoraConfig::default()
        };
        let config = DecoderPolicyConfig {
            lora: Some(lora),
            ..Default::default()
        };
        let memory = MemoryEstimate::of(&model(), &config, STEP);
        // Two layers of rank 2: q_proj 8 + 8, down_proj 16 + 8.
        let adapters = 2 * 2 * (16 + 24);
        assert_eq!(
            (memory.training, memory.reference),
            (12 * adapters, 4 * adapters)
        );
    }

    #[test]
    fn the_cache_holds_each_prompt_once() {
        let memory = MemoryEstimate::of(&model(), &DecoderPolicyConfig::default(), STEP);
        // Six responses of 4 tokens and two prompts of 10; keys and values of 4 numbers in two layers.
        assert_eq!(memory.cache, (6 * 4 + 2 * 10) * 2 * 2 * 4 * 4);
        let narrow = DecoderPolicyConfig {
            generation_rows: 1,
            ..Default::default()
        };
        assert_eq!(
            MemoryEstimate::of(&model(), &narrow, STEP).cache,
            (4 + 10) * 2 * 2 * 4 * 4
        );
    }

    #[test]
    fn an_evaluation_holds_a_prompt_for_each_response() {
        let step = StepSize {
            evaluated: 9,
            ..STEP
        };
        let memory = MemoryEstimate::of(&model(), &DecoderPolicyConfig::default(), step);
        assert_eq!(memory.cache, 9 * (4 + 10) * 2 * 2 * 4 * 4);
    }

    #[test]
    fn checkpointing_keeps_one_layer() {
        let on = DecoderPolicyConfig {
            gradient_checkpointing: true,
            ..Default::default()
        };
        let [off, on] = [DecoderPolicyConfig::default(), on]
            .map(|c| MemoryEstimate::of(&model(), &c, STEP).activations);
        // 44 tokens; a layer keeps 4 · 8 + 3 · 8 + 3 · 4 + 4 · 16 = 132 numbers.
        assert_eq!(off, 44 * 2 * 132 * 4);
        assert_eq!(on, 44 * (2 * 8 + 132) * 4);
    }
}
