//! A model as a GGUF file that llama.cpp reads.

mod vocabulary;

use std::{f64::consts::PI, path::Path};

use tch::{Kind, Tensor};

use super::gguf_model::{DIVISORS, interleaved, interleaved_heads, stored_name};
use crate::{
    Architecture, DecoderPolicy, GgmlType, GgufValue, ModelConfig, RopeScaling,
    error::{Error, Result},
    gguf::{Planned, write_gguf},
    rope_scaling::llama3_divisor,
};

impl DecoderPolicy {
    /// Writes the model as one GGUF file, its adapters merged: matrices as `kind`, F16 or Q8_0, vectors as F32. Llama, Mistral, Qwen2 and
    /// Qwen3 with a byte-level tokenizer whose rules llama.cpp has a name for.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for another kind; [`Error::NotExportable`] names what llama.cpp would compute otherwise; [`Error::File`].
    pub fn save_gguf(&self, path: &Path, kind: GgmlType) -> Result<()> {
        let is_known = matches!(kind, GgmlType::F16 | GgmlType::Q8_0);
        crate::error::check(is_known, "type", format!("{kind:?}"), "F16 or Q8_0")?;
        let model = self.model();
        let mut metadata = metadata(model, kind)?;
        metadata.extend(vocabulary::metadata(self.tokenizer(), model.vocab_size)?);
        let weights = self.merged_weights()?.named()?;
        let mut planned: Vec<Planned> = weights
            .iter()
            .map(|(name, tensor)| plan(name, &tensor.size(), kind))
            .collect();
        let divisors = divisors(model);
        planned.extend(divisors.as_ref().map(|divisors| Planned {
            name: DIVISORS.to_owned(),
            shape: vec![divisors.len()],
            kind: GgmlType::F32,
        }));
        let by_stored = weights
            .iter()
            .map(|(name, tensor)| (stored_name(name), (name, tensor)));
        let by_stored: std::collections::BTreeMap<_, _> = by_stored.collect();
        write_gguf(
            path,
            &metadata,
            &planned,
            &mut |tensor| match by_stored.get(&tensor.name) {
                Some((name, weight)) => numbers(name, weight, model),
                None => Ok(divisors.clone().unwrap_or_default()),
            },
        )
    }
}

fn plan(name: &str, size: &[i64], kind: GgmlType) -> Planned {
    let shape: Vec<usize> = size.iter().map(|&size| size as usize).collect();
    let fits = shape
        .last()
        .is_some_and(|columns| columns.is_multiple_of(kind.block_numbers()));
    Planned {
        kind: match shape.len() {
            // Norms and biases: they are few, and small errors in them are large ones in the model.
            1 => GgmlType::F32,
            _ if fits => kind,
            _ => GgmlType::F16,
        },
        name: stored_name(name),
        shape,
    }
}

/// The weight row by row, queries and keys of Llama's with the rows of each pair side by side.
fn numbers(name: &str, weight: &Tensor, model: &ModelConfig) -> Result<Vec<f32>> {
    let weight = weight
        .f_to_device(tch::Device::Cpu)?
        .f_to_kind(Kind::Float)?;
    let weight = match interleaved_heads(name, model) {
        Some(heads) => interleaved(&weight, heads)?,
        None => weight,
    };
    Ok(Vec::try_from(&weight.f_contiguous()?.f_view([-1])?)?)
}

fn metadata(model: &ModelConfig, kind: GgmlType) -> Result<Vec<(String, GgufValue)>> {
    let architecture = match model.model_type {
        Architecture::Llama | Architecture::Mistral => "llama",
        Architecture::Qwen2 => "qwen2",
        Architecture::Qwen3 => "qwen3",
        other => {
            return Err(refused(format!(
                "the family {other:?} is written by nothing here yet"
            )));
        }
    };
    if model.has_output_bias() || model.has_mlp_bias() {
        return Err(refused(
            "biases of attention or feed-forward layers have no place in this family".to_owned(),
        ));
    }
    let own = |key: &str| format!("{architecture}.{key}");
    let size = |size: usize| GgufValue::Unsigned(size as u64);
    let text = |text: &str| GgufValue::Text(text.to_owned());
    let file_type = if kind == GgmlType::Q8_0 { 7 } else { 1 };
    let mut metadata = vec![
        ("general.architecture".to_owned(), text(architecture)),
        ("general.name".to_owned(), text("rerec")),
        ("general.file_type".to_owned(), size(file_type)),
        ("general.quantization_version".to_owned(), size(2)),
        (own("vocab_size"), size(model.vocab_size)),
        (own("context_length"), size(model.max_position_embeddings)),
        (own("embedding_length"), size(model.hidden_size)),
        (own("block_count"), size(model.num_hidden_layers)),
        (own("feed_forward_length"), size(model.intermediate_size)),
        (own("attention.head_count"), size(model.num_attention_heads)),
        (
            own("attention.head_count_kv"),
            size(model.num_key_value_heads),
        ),
        (own("attention.key_length"), size(model.head_width())),
        (own("attention.value_length"), size(model.head_width())),
        (own("rope.dimension_count"), size(model.head_width())),
        (
            own("attention.layer_norm_rms_epsilon"),
            GgufValue::Float(model.rms_norm_eps),
        ),
        (own("rope.freq_base"), GgufValue::Float(model.rope_theta)),
    ];
    metadata.extend(
        stretching(model)?
            .into_iter()
            .map(|(key, value)| (own(key), value)),
    );
    Ok(metadata)
}

/// How rotary frequencies are stretched; Llama 3's way is a tensor of its own.
fn stretching(model: &ModelConfig) -> Result<Vec<(&'static str, GgufValue)>> {
    let number = GgufValue::Float;
    match &model.rope_scaling {
        // Nothing longer than the context is read, so that dynamic scaling changes nothing.
        None
        | Some(
            RopeScaling::Default {} | RopeScaling::Dynamic { .. } | RopeScaling::Llama3 { .. },
        ) => Ok(Vec::new()),
        Some(RopeScaling::Linear { factor }) => Ok(vec![
            ("rope.scaling.type", GgufValue::Text("linear".to_owned())),
            ("rope.scaling.factor", number(*factor)),
        ]),
        Some(RopeScaling::Yarn(_)) => {
            Err(refused("YaRN's settings are not written yet".to_owned()))
        }
    }
}

/// What each rotary frequency is divided by in Llama 3.1 and later.
fn divisors(model: &ModelConfig) -> Option<Vec<f32>> {
    let Some(RopeScaling::Llama3 {
        factor,
        low_freq_factor: low,
        high_freq_factor: high,
        original_max_position_embeddings: context,
    }) = model.rope_scaling
    else {
        return None;
    };
    let head = model.head_width();
    let divisor = |pair: usize| {
        let turns = context * model.rope_theta.powf(-2.0 * pair as f64 / head as f64) / (2.0 * PI);
        llama3_divisor(turns, factor, low, high) as f32
    };
    Some((0..head / 2).map(divisor).collect())
}

fn refused(what: String) -> Error {
    Error::NotExportable { what }
}
