//! Families of decoders, and what each differs in from Llama.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A family of decoders. In files `granite`, `llama`, `mistral`, `qwen2`, `qwen3` or `smollm3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Llama, and SmolLM2 too.
    #[default]
    Llama,
    /// Granite 3: multipliers on embedding, residual stream, attention and logits.
    Granite,
    /// Mistral, without a sliding window or with one that never binds.
    Mistral,
    /// Qwen2 and Qwen2.5: biases on query, key and value.
    Qwen2,
    /// Qwen3: each head's query and key are normalised.
    Qwen3,
    /// SmolLM3: some layers know no positions.
    SmolLm3,
}

/// What a family differs in.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "torch"),
    allow(dead_code, reason = "the decoder reads them")
)]
pub(crate) struct Family {
    /// `model_type` in `config.json`.
    pub(crate) name: &'static str,
    /// `architectures` in `config.json`.
    pub(crate) class: &'static str,
    /// Query, key and value always carry a bias.
    pub(crate) qkv_bias: bool,
    /// `attention_bias` puts one on query, key, value and output; elsewhere the key does nothing.
    pub(crate) attention_bias: bool,
    /// `mlp_bias` puts one on the feed-forward layer's projections.
    pub(crate) mlp_bias: bool,
    /// Each head's query and key are normalised.
    pub(crate) query_key_norm: bool,
    /// `no_rope_layers` says which layers know positions.
    pub(crate) no_rope_layers: bool,
    /// [`Multipliers`](crate::Multipliers) count.
    pub(crate) multipliers: bool,
    /// `sliding_window` counts unless `use_sliding_window` says otherwise.
    pub(crate) window_by_default: bool,
}

const LLAMA: Family = Family {
    name: "llama",
    class: "LlamaForCausalLM",
    qkv_bias: false,
    attention_bias: true,
    mlp_bias: true,
    query_key_norm: false,
    no_rope_layers: false,
    multipliers: false,
    // Not a key of Llama's, but transformers' cache heeds it.
    window_by_default: true,
};
const GRANITE: Family = Family {
    name: "granite",
    class: "GraniteForCausalLM",
    multipliers: true,
    ..LLAMA
};
const MISTRAL: Family = Family {
    name: "mistral",
    class: "MistralForCausalLM",
    attention_bias: false,
    mlp_bias: false,
    ..LLAMA
};
const QWEN2: Family = Family {
    name: "qwen2",
    class: "Qwen2ForCausalLM",
    qkv_bias: true,
    attention_bias: false,
    mlp_bias: false,
    window_by_default: false,
    ..LLAMA
};
const QWEN3: Family = Family {
    name: "qwen3",
    class: "Qwen3ForCausalLM",
    query_key_norm: true,
    mlp_bias: false,
    window_by_default: false,
    ..LLAMA
};
const SMOLLM3: Family = Family {
    name: "smollm3",
    class: "SmolLM3ForCausalLM",
    no_rope_layers: true,
    window_by_default: false,
    ..LLAMA
};

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Granite,
        Self::Llama,
        Self::Mistral,
        Self::Qwen2,
        Self::Qwen3,
        Self::SmolLm3,
    ];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        self.family().name
    }

    pub(crate) fn family(self) -> &'static Family {
        match self {
            Self::Granite => &GRANITE,
            Self::Llama => &LLAMA,
            Self::Mistral => &MISTRAL,
            Self::Qwen2 => &QWEN2,
            Self::Qwen3 => &QWEN3,
            Self::SmolLm3 => &SMOLLM3,
        }
    }

    /// The family of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The names of all, for messages.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// What transformers 4.57.6 takes for keys that `config.json` leaves out.
    pub(crate) fn defaults(self) -> Value {
        let (vocab, wide, positions, theta) = match self {
            Self::Granite | Self::Llama => (32_000, 11_008, 2048, 1e4),
            Self::Mistral => (32_000, 14_336, 131_072, 1e4),
            Self::Qwen2 | Self::Qwen3 => (151_936, 22_016, 32_768, 1e4),
            Self::SmolLm3 => (128_256, 11_008, 32_768, 2e6),
        };
        let (hidden, layers, heads) = match self {
            Self::SmolLm3 => (2048, 36, 16),
            _ => (4096, 32, 32),
        };
        let kv_heads = match self {
            // As many as there are query heads, which the file may say.
            Self::Granite | Self::Llama => None,
            Self::Qwen2 | Self::Qwen3 => Some(32),
            Self::Mistral => Some(8),
            Self::SmolLm3 => Some(4),
        };
        json!({
            "vocab_size": vocab, "hidden_size": hidden, "intermediate_size": wide, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": kv_heads,
            "head_dim": (self == Self::Qwen3).then_some(128), "max_position_embeddings": positions,
            "rms_norm_eps": 1e-6, "rope_theta": theta, "initializer_range": 0.02,
            "tie_word_embeddings": self == Self::SmolLm3,
            "sliding_window": (self == Self::Mistral).then_some(4096),
            "attention_multiplier": (self == Self::Granite).then_some(1.0)
        })
    }
}
