//! What every key of `config.json` means here. A key that is not listed may change a number, so it is refused.

use serde_json::{Map, Value};

use crate::{Architecture, architecture::Family};

/// What a key means.
enum Meaning {
    /// It is read.
    Used,
    /// It is read by some families; in others transformers passes over it, and it has to say what changes nothing.
    UsedBy(fn(&Family) -> bool, fn(&Value) -> bool, &'static str),
    /// It changes no number of the model, whatever it says: names and versions, training, defaults for sampling.
    Harmless,
    /// It changes nothing at these values, which are described.
    Only(fn(&Value) -> bool, &'static str),
}

use Meaning::{Harmless, Only, Used, UsedBy};

fn is_false(value: &Value) -> bool {
    *value == Value::Bool(false)
}

fn is_true(value: &Value) -> bool {
    *value == Value::Bool(true)
}

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_one(value: &Value) -> bool {
    value.as_f64() == Some(1.0)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn is_silu(value: &Value) -> bool {
    value == "silu" || value == "swish"
}

fn never(_: &Value) -> bool {
    false
}

/// Null asks for nothing, whatever the key: it is not listed among the values.
const KEYS: &[(&str, Meaning)] = &[
    // The shape.
    ("model_type", Used),
    ("architectures", Used),
    ("vocab_size", Used),
    ("hidden_size", Used),
    ("intermediate_size", Used),
    ("num_hidden_layers", Used),
    ("num_attention_heads", Used),
    ("num_key_value_heads", Used),
    ("head_dim", Used),
    ("rms_norm_eps", Used),
    ("rope_theta", Used),
    ("rope_scaling", Used),
    ("rope_parameters", Used),
    ("tie_word_embeddings", Used),
    ("max_position_embeddings", Used),
    ("initializer_range", Used),
    ("attention_bias", Used),
    ("mlp_bias", Used),
    (
        "no_rope_layers",
        UsedBy(|family| family.no_rope_layers, never, "null"),
    ),
    (
        "no_rope_layer_interval",
        UsedBy(|family| family.no_rope_layers, never, "null"),
    ),
    (
        "embedding_multiplier",
        UsedBy(|family| family.multipliers, is_one, "1"),
    ),
    (
        "residual_multiplier",
        UsedBy(|family| family.multipliers, is_one, "1"),
    ),
    (
        "logits_scaling",
        UsedBy(|family| family.multipliers, is_one, "1"),
    ),
    (
        "attention_multiplier",
        UsedBy(|family| family.multipliers, never, "null"),
    ),
    ("sliding_window", Used),
    ("use_sliding_window", Used),
    ("max_window_layers", Used),
    ("layer_types", Used),
    ("quantization_config", Used),
    // Ends of a response.
    ("eos_token_id", Used),
    // What other families compute, switched off.
    ("hidden_act", Only(is_silu, "\"silu\"")),
    ("hidden_activation", Only(is_silu, "\"silu\"")),
    ("partial_rotary_factor", Only(is_one, "1")),
    ("rotary_pct", Only(is_one, "1")),
    ("rope_interleaved", Only(is_false, "false")),
    ("use_mrope", Only(is_false, "false")),
    ("use_rope", Only(is_true, "true")),
    ("qk_layernorm", Only(is_false, "false")),
    ("use_qk_norm", Only(is_false, "false")),
    ("logit_scale", Only(is_one, "1")),
    ("clip_qkv", Only(never, "null")),
    ("attn_logit_softcapping", Only(never, "null")),
    ("final_logit_softcapping", Only(never, "null")),
    ("use_bidirectional_attention", Only(is_false, "false")),
    ("is_encoder_decoder", Only(is_false, "false")),
    ("add_cross_attention", Only(is_false, "false")),
    ("pruned_heads", Only(is_empty, "empty")),
    (
        "auto_map",
        Only(is_empty, "empty: code of the model's own is not run"),
    ),
    ("num_nextn_predict_layers", Only(is_zero, "0")),
    ("output_router_logits", Only(is_false, "false")),
    // The Llama that SmolLM2 says it is.
    ("is_llama_config", Only(is_true, "true")),
    // Tokens and text; the tokenizer's own files decide.
    ("bos_token_id", Harmless),
    ("pad_token_id", Harmless),
    ("sep_token_id", Harmless),
    ("decoder_start_token_id", Harmless),
    ("tokenizer_class", Harmless),
    ("prefix", Harmless),
    // Names and versions.
    ("_name_or_path", Harmless),
    ("name_or_path", Harmless),
    ("_commit_hash", Harmless),
    ("transformers_version", Harmless),
    ("transformers.js_config", Harmless),
    ("unsloth_version", Harmless),
    ("unsloth_fixed", Harmless),
    ("max_sequence_length", Harmless),
    ("seq_length", Harmless),
    ("id2label", Harmless),
    ("label2id", Harmless),
    ("num_labels", Harmless),
    ("problem_type", Harmless),
    ("finetuning_task", Harmless),
    ("task_specific_params", Harmless),
    ("custom_pipelines", Harmless),
    // How the numbers are kept and computed elsewhere; the tensors say their own kind.
    ("torch_dtype", Harmless),
    ("dtype", Harmless),
    ("use_bfloat16", Harmless),
    ("torchscript", Harmless),
    ("tf_legacy_loss", Harmless),
    ("use_cache", Harmless),
    ("cache_implementation", Harmless),
    ("pretraining_tp", Harmless),
    ("chunk_size_feed_forward", Harmless),
    ("attn_implementation", Harmless),
    ("_attn_implementation", Harmless),
    ("_attn_implementation_autoset", Harmless),
    ("_attn_implementation_internal", Harmless),
    ("_flash_attn_2_enabled", Harmless),
    ("use_flash_attn", Harmless),
    ("is_decoder", Harmless),
    ("tie_encoder_decoder", Harmless),
    ("cross_attention_hidden_size", Harmless),
    ("return_dict", Harmless),
    ("return_dict_in_generate", Harmless),
    ("output_hidden_states", Harmless),
    ("output_attentions", Harmless),
    ("output_scores", Harmless),
    // Training.
    ("attention_dropout", Harmless),
    ("attn_pdrop", Harmless),
    ("resid_pdrop", Harmless),
    ("embd_pdrop", Harmless),
    ("hidden_dropout", Harmless),
    ("hidden_dropout_prob", Harmless),
    ("attention_probs_dropout_prob", Harmless),
    ("classifier_dropout", Harmless),
    ("gradient_checkpointing", Harmless),
    ("neftune_noise_alpha", Harmless),
    ("router_aux_loss_coef", Harmless),
    // Defaults for sampling, which the caller sets here.
    ("max_length", Harmless),
    ("max_new_tokens", Harmless),
    ("min_length", Harmless),
    ("do_sample", Harmless),
    ("early_stopping", Harmless),
    ("num_beams", Harmless),
    ("num_beam_groups", Harmless),
    ("diversity_penalty", Harmless),
    ("temperature", Harmless),
    ("top_k", Harmless),
    ("top_p", Harmless),
    ("typical_p", Harmless),
    ("repetition_penalty", Harmless),
    ("length_penalty", Harmless),
    ("no_repeat_ngram_size", Harmless),
    ("encoder_no_repeat_ngram_size", Harmless),
    ("bad_words_ids", Harmless),
    ("num_return_sequences", Harmless),
    ("forced_bos_token_id", Harmless),
    ("forced_eos_token_id", Harmless),
    ("remove_invalid_values", Harmless),
    ("exponential_decay_length_penalty", Harmless),
    ("suppress_tokens", Harmless),
    ("begin_suppress_tokens", Harmless),
];

/// Refuses what is not known to be harmless.
///
/// # Errors
/// Names the key, its value and what to do.
pub(super) fn check(config: &Map<String, Value>, architecture: Architecture) -> Result<(), String> {
    let family = architecture.family();
    for (key, value) in config.iter().filter(|(_, value)| !value.is_null()) {
        let known = KEYS.iter().find(|(name, _)| name == key);
        match known.map(|(_, meaning)| meaning) {
            Some(Used | Harmless) => {}
            Some(UsedBy(reads, ..)) if reads(family) => {}
            Some(Only(allowed, _) | UsedBy(_, allowed, _)) if allowed(value) => {}
            Some(Only(_, allowed) | UsedBy(_, _, allowed)) => {
                let name = family.name;
                return Err(format!("{key} must be {allowed} for {name}, got {value}"));
            }
            None => {
                return Err(format!(
                    "{key} is not known for {}, and may ask for something else than is computed here (it is {value}); \
                     take the key out if it changes no number of the model",
                    family.name
                ));
            }
        }
    }
    Ok(())
}
