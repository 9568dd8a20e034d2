//! What every key of a GGUF file's metadata means here. A key that is not listed may change a number, so it is refused.

use super::meta::Meta;
use crate::{GgufValue, error::Result};

/// What a key means.
enum Meaning {
    /// It is read.
    Used,
    /// It changes no number, whatever it says.
    Harmless,
    /// It changes nothing at this value.
    Only(&'static str, fn(&GgufValue) -> bool),
}

use Meaning::{Harmless, Only, Used};

fn is_zero(value: &GgufValue) -> bool {
    matches!(value, GgufValue::Unsigned(0) | GgufValue::Signed(0))
        || *value == GgufValue::Float(0.0)
}

fn is_one(value: &GgufValue) -> bool {
    *value == GgufValue::Float(1.0)
}

/// Keys behind `<architecture>.`; those that follow from others are compared with them by [`super::config`].
const OWN: &[(&str, Meaning)] = &[
    ("context_length", Used),
    ("embedding_length", Used),
    ("feed_forward_length", Used),
    ("block_count", Used),
    ("vocab_size", Used),
    ("attention.head_count", Used),
    ("attention.head_count_kv", Used),
    ("attention.key_length", Used),
    ("attention.value_length", Used),
    ("attention.layer_norm_rms_epsilon", Used),
    ("attention.sliding_window", Used),
    ("rope.dimension_count", Used),
    ("rope.freq_base", Used),
    ("rope.scale_linear", Used),
    ("rope.scaling.type", Used),
    ("rope.scaling.factor", Used),
    ("rope.scaling.original_context_length", Used),
    ("rope.scaling.yarn_beta_fast", Used),
    ("rope.scaling.yarn_beta_slow", Used),
    ("expert_count", Used),
    ("rope.scaling.finetuned", Harmless),
    ("attention.layer_norm_epsilon", Harmless),
    ("expert_used_count", Only("0", is_zero)),
    ("rope.scaling.attn_factor", Only("1", is_one)),
    ("logit_scale", Only("1", is_one)),
    ("residual_scale", Only("1", is_one)),
    ("embedding_scale", Only("1", is_one)),
    ("attention.clamp_kqv", Only("0", is_zero)),
    ("attention.max_alibi_bias", Only("0", is_zero)),
    (
        "attention.causal",
        Only("true", |value| *value == GgufValue::Bool(true)),
    ),
    (
        "use_parallel_residual",
        Only("false", |value| *value == GgufValue::Bool(false)),
    ),
];

/// Keys behind `tokenizer.`, for a byte-level BPE: no beginning is added to what a chat template writes, and scores and unknown
/// tokens are SentencePiece's.
const TOKENIZER: &[(&str, Meaning)] = &[
    ("ggml.model", Used),
    ("ggml.pre", Used),
    ("ggml.tokens", Used),
    ("ggml.token_type", Used),
    ("ggml.merges", Used),
    ("ggml.bos_token_id", Used),
    ("ggml.eos_token_id", Used),
    ("ggml.eot_token_id", Used),
    ("ggml.eom_token_id", Used),
    ("ggml.unknown_token_id", Used),
    ("ggml.padding_token_id", Used),
    ("chat_template", Used),
    ("ggml.scores", Harmless),
    ("ggml.add_bos_token", Harmless),
    ("ggml.add_eos_token", Harmless),
    ("ggml.add_sep_token", Harmless),
    ("ggml.add_space_prefix", Harmless),
    ("ggml.token_type_count", Harmless),
    ("ggml.seperator_token_id", Harmless),
    ("ggml.separator_token_id", Harmless),
    ("ggml.cls_token_id", Harmless),
    ("ggml.mask_token_id", Harmless),
    ("ggml.prefix_token_id", Harmless),
    ("ggml.suffix_token_id", Harmless),
    ("ggml.middle_token_id", Harmless),
    ("ggml.fim_pre_token_id", Harmless),
    ("ggml.fim_suf_token_id", Harmless),
    ("ggml.fim_mid_token_id", Harmless),
    ("ggml.fim_pad_token_id", Harmless),
    ("ggml.fim_rep_token_id", Harmless),
    ("ggml.fim_sep_token_id", Harmless),
    ("chat_templates", Harmless),
    ("huggingface.json", Harmless),
];

/// Refuses what is not known to be harmless.
///
/// # Errors
/// Names the key and what it may be.
pub(super) fn check(meta: &Meta<'_>, architecture: &str) -> Result<()> {
    for (key, value) in meta.0.metadata() {
        let known = match key.split_once('.') {
            Some(("general" | "quantize" | "split", _)) => Some(&Harmless),
            Some(("tokenizer", rest)) if rest.starts_with("chat_template.") => Some(&Harmless),
            Some(("tokenizer", rest)) => find(TOKENIZER, rest),
            Some((family, rest)) if family == architecture => find(OWN, rest),
            _ => None,
        };
        match known {
            Some(Used | Harmless) => {}
            Some(Only(_, allowed)) if allowed(value) => {}
            Some(Only(allowed, _)) => {
                return Err(meta.fault(key, &format!("{allowed}, got {value:?}")));
            }
            None => {
                return Err(meta.fault(
                    key,
                    "a key that is known here; take it out if it changes no number of the model",
                ));
            }
        }
    }
    Ok(())
}

fn find(keys: &'static [(&str, Meaning)], key: &str) -> Option<&'static Meaning> {
    let entry = keys.iter().find(|(name, _)| *name == key);
    entry.map(|(_, meaning)| meaning)
}
