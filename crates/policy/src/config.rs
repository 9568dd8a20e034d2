//! Settings of the decoder policy; they need no libtorch to be read.

use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(feature = "torch")]
use crate::error::check;
use crate::error::{Error, Result};

/// Settings for training a tokenizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerConfig {
    /// Ids in all but those of `tokens`: 256 bytes, 4 special tokens, and merges. At least 260.
    pub vocab_size: usize,
    /// Texts that are one token each, wherever they stand. Default none.
    #[serde(default)]
    pub tokens: Vec<String>,
}

impl TokenizerConfig {
    /// So many ids, and no texts of one token beside them.
    pub fn new(vocab_size: usize) -> Self {
        let tokens = Vec::new();
        Self { vocab_size, tokens }
    }
}

/// What a chat template is given beside the conversation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateConfig {
    /// System message of conversations that begin with none. Default none: what the template says without one.
    pub system_message: Option<String>,
    /// The date that `strftime_now` tells, `YYYY-MM-DD`. Default none: templates that can do without take a date of their own, and
    /// others are an error, so that prompts do not change from day to day.
    pub date: Option<String>,
    /// Variables by name, such as `enable_thinking`, `tools` or `documents`. Default none.
    pub variables: serde_json::Map<String, serde_json::Value>,
}

/// The device that the decoder policy computes on. In files `cpu` or `cuda:0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Device {
    /// The CPU.
    #[default]
    Cpu,
    /// The NVIDIA GPU of that number; needs the feature `cuda` and a libtorch with CUDA.
    Cuda(usize),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

impl TryFrom<String> for Device {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let index = || text.strip_prefix("cuda:")?.parse().ok();
        match text.as_str() {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => index().map(Self::Cuda).ok_or(Error::InvalidSetting {
                setting: "device",
                got: text.clone(),
                allowed: "cpu, cuda or cuda:N",
            }),
        }
    }
}

/// The numbers that products and activations are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// bfloat16: half the memory, and faster where the processor multiplies it. Trained weights, their moments and their
    /// gradients' sums stay f32; log-probabilities are summed up in f32 from logits of bf16, whose spacing is 1/8 around 20.
    Bf16,
    /// bfloat16 on a GPU and on a CPU that multiplies it, else f32: [`Precision::on`] says which.
    Auto,
}

impl Precision {
    /// What it stands for on a device: itself, or for `Auto` the faster of the two.
    pub fn on(self, device: Device) -> Self {
        match self {
            Self::Auto if Self::Bf16.is_emulated_on(device) => Self::F32,
            Self::Auto => Self::Bf16,
            chosen => chosen,
        }
    }

    /// Whether the device computes in it by detours: bf16 on a CPU without AVX-512 BF16, where a step takes many times as long as in
    /// f32.
    pub fn is_emulated_on(self, device: Device) -> bool {
        self == Self::Bf16 && device == Device::Cpu && !multiplies_bf16()
    }

    /// Bytes of a number; `Auto` as on the CPU.
    pub fn bytes(self) -> usize {
        match self.on(Device::Cpu) {
            Self::Bf16 => 2,
            _ => 4,
        }
    }
}

/// Whether the CPU has instructions for products of bf16. Processors with AMX have these too.
fn multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Low-rank adapters: each adapted product becomes `x Wᵀ + alpha/rank (x Aᵀ) Bᵀ`, and only A `[rank, in]` and B `[out, rank]`
/// are trained (LoRA, arXiv 2106.09685). The reference policy is the model with its adapters switched off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Rows of A. Default 16; range `[1, 8192]`.
    pub rank: usize,
    /// The adapters' product is scaled by alpha / rank. Default 32; range `(0, 1e6]`.
    pub alpha: f64,
    /// Share of a product's inputs that its adapter does not see in training. Default 0; range `[0, 1)`.
    pub dropout: f64,
    /// Which projections are adapted, at least one. Default all.
    pub targets: Vec<Projection>,
    /// Seed of the initial A and of dropout; B starts at 0. Default 0.
    pub seed: u64,
}

/// Wider than the widest projections of models that fit one machine, and checked before memory is set aside for it.
#[cfg(feature = "torch")]
const MAX_RANK: usize = 8192;
/// Far above what is used, and far below what overflows f32.
#[cfg(feature = "torch")]
const MAX_ALPHA: f64 = 1e6;

/// A matrix product of a decoder layer that can be adapted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projection {
    /// Attention's queries.
    QProj,
    /// Attention's keys.
    KProj,
    /// Attention's values.
    VProj,
    /// Attention's output.
    OProj,
    /// The feed-forward layer's gate.
    GateProj,
    /// What the gate multiplies.
    UpProj,
    /// The feed-forward layer's output.
    DownProj,
}

impl Projection {
    /// All seven.
    pub const ALL: [Self; 7] = [
        Self::QProj,
        Self::KProj,
        Self::VProj,
        Self::OProj,
        Self::GateProj,
        Self::UpProj,
        Self::DownProj,
    ];

    /// Its module's name in checkpoints and configurations: `q_proj`.
    pub fn name(self) -> &'static str {
        match self {
            Self::QProj => "q_proj",
            Self::KProj => "k_proj",
            Self::VProj => "v_proj",
            Self::OProj => "o_proj",
            Self::GateProj => "gate_proj",
            Self::UpProj => "up_proj",
            Self::DownProj => "down_proj",
        }
    }
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: 32.0,
            dropout: 0.0,
            targets: Projection::ALL.to_vec(),
            seed: 0,
        }
    }
}

/// How the decoder policy computes and spends memory, and its optimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderPolicyConfig {
    /// The device it computes on. Default the CPU.
    pub device: Device,
    /// Number format of products and activations: `f32`, `bf16` or `auto`. Default f32.
    pub precision: Precision,
    /// Adapters to train instead of the weights. Default none.
    pub lora: Option<LoraConfig>,
    /// Keeps only the inputs of the layers for the backward pass and computes each layer anew there: a third more work,
    /// and activations of one layer at a time instead of all. Default off; changes no gradient.
    pub gradient_checkpointing: bool,
    /// Tokens of one forward and backward pass, a prompt that several responses share counted once; changes memory and
    /// speed, not the gradient, but for rounding and for the masks of LoRA's dropout, which each pass draws.
    /// Default 8192; at least 1.
    pub micro_batch_tokens: usize,
    /// Responses sampled side by side. Default 256; at least 1. The KV cache has room for the longest response in every row and,
    /// for each of their prompts once, for the longest prompt, at `8 * layers * kv heads * head width` bytes per token in f32, half
    /// of it in bf16: see [`ModelConfig::kv_cache_bytes`](crate::ModelConfig::kv_cache_bytes).
    pub generation_rows: usize,
    /// AdamW.
    pub optimizer: OptimizerConfig,
    /// What the chat template is given beside the conversation. Default nothing.
    pub template: TemplateConfig,
}

impl Default for DecoderPolicyConfig {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            precision: Precision::F32,
            lora: None,
            gradient_checkpointing: false,
            micro_batch_tokens: 8192,
            generation_rows: 256,
            optimizer: OptimizerConfig::default(),
            template: TemplateConfig::default(),
        }
    }
}

/// Settings of AdamW (Loshchilov & Hutter, arXiv 1711.05101).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Decay of the first moment. Default 0.9; range `[0, 1)`.
    pub beta1: f64,
    /// Decay of the second moment. Default 0.999; range `[0, 1)`.
    pub beta2: f64,
    /// Added to the root of the second moment. Default 1e-8; above 0.
    pub epsilon: f64,
    /// Decoupled weight decay of matrices; vectors are not decayed. Default 0; range `[0, inf)`.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global norm. Default 1; above 0.
    pub max_grad_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
        }
    }
}

#[cfg(feature = "torch")]
impl DecoderPolicyConfig {
    /// The settings checked, and with the number format that is computed in.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`].
    pub(crate) fn resolved(mut self) -> Result<Self> {
        self.validate()?;
        self.precision = self.precision.on(self.device);
        Ok(self)
    }

    pub(crate) fn validate(&self) -> Result<()> {
        for (name, value) in [
            ("micro_batch_tokens", self.micro_batch_tokens),
            ("generation_rows", self.generation_rows),
        ] {
            check(value >= 1, name, value, "at least 1")?;
        }
        self.lora.as_ref().map_or(Ok(()), LoraConfig::validate)?;
        self.template.validate()?;
        self.optimizer.validate()
    }
}

#[cfg(feature = "torch")]
impl LoraConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        check(
            (1..=MAX_RANK).contains(&self.rank),
            "lora.rank",
            self.rank,
            "in [1, 8192]",
        )?;
        check(
            self.alpha > 0.0 && self.alpha <= MAX_ALPHA,
            "lora.alpha",
            self.alpha,
            "in (0, 1e6]",
        )?;
        check(
            (0.0..1.0).contains(&self.dropout),
            "lora.dropout",
            self.dropout,
            "in [0, 1)",
        )?;
        let is_any = !self.targets.is_empty();
        check(is_any, "lora.targets", "none", "at least one projection")
    }
}

#[cfg(feature = "torch")]
impl OptimizerConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        check(
            (0.0..1.0).contains(&self.beta1),
            "beta1",
            self.beta1,
            "in [0, 1)",
        )?;
        check(
            (0.0..1.0).contains(&self.beta2),
            "beta2",
            self.beta2,
            "in [0, 1)",
        )?;
        check(self.epsilon > 0.0, "epsilon", self.epsilon, "above 0")?;
        let decay = self.weight_decay;
        check(
            decay >= 0.0 && decay.is_finite(),
            "weight_decay",
            decay,
            "in [0, inf)",
        )?;
        check(
            self.max_grad_norm > 0.0,
            "max_grad_norm",
            self.max_grad_norm,
            "above 0",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_bf16_only_where_that_is_no_detour() {
        let gpu = Device::Cuda(0);
        assert_eq!(Precision::Auto.on(gpu), Precision::Bf16);
        assert!(
            !Precision::Bf16.is_emulated_on(gpu) && !Precision::F32.is_emulated_on(Device::Cpu)
        );
        let expected = match multiplies_bf16() {
            true => Precision::Bf16,
            false => Precision::F32,
        };
        assert_eq!(Precision::Auto.on(Device::Cpu), expected);
        assert_eq!(Precision::F32.on(gpu), Precision::F32);
    }
}
