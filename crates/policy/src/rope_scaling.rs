//! How rotary frequencies are stretched for long contexts.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::{Result, check};

/// How rotary frequencies are stretched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rope_type", rename_all = "snake_case", deny_unknown_fields)]
pub enum RopeScaling {
    /// Not at all.
    Default {},
    /// All are divided by the factor.
    Linear {
        /// Above 0.
        factor: f64,
    },
    /// By how far a sequence exceeds `max_position_embeddings` (NTK-aware scaling). Nothing longer is read here, so it changes
    /// nothing.
    Dynamic {
        /// Above 0.
        factor: f64,
        /// Not used, as in transformers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        original_max_position_embeddings: Option<f64>,
    },
    /// Llama 3.1: wavelengths longer than `original_max_position_embeddings / low_freq_factor` are divided by the factor, those
    /// shorter than `original_max_position_embeddings / high_freq_factor` stay, those between are interpolated.
    Llama3 {
        /// Above 0.
        factor: f64,
        /// Below `high_freq_factor`.
        low_freq_factor: f64,
        /// Above `low_freq_factor`.
        high_freq_factor: f64,
        /// Context that the model was first trained on, in tokens.
        #[serde(serialize_with = "whole")]
        original_max_position_embeddings: f64,
    },
    /// YaRN (arXiv 2309.00071): frequencies that turn rarely within the first context are divided by the factor, those that turn
    /// often stay, those between are interpolated; cosines and sines are scaled.
    Yarn(Yarn),
}

/// Settings of YaRN, as in `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Yarn {
    /// At least 1.
    pub factor: f64,
    /// Context that the model was first trained on, in tokens. Default `max_position_embeddings`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "whole_or_none"
    )]
    pub original_max_position_embeddings: Option<f64>,
    /// What cosines and sines are multiplied by. Default `0.1 ln(factor) + 1`, or what `mscale` and `mscale_all_dim` give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention_factor: Option<f64>,
    /// Turns above which a frequency stays. Default 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta_fast: Option<f64>,
    /// Turns below which a frequency is divided by the factor. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta_slow: Option<f64>,
    /// Scale of the logarithm in the numerator of `attention_factor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mscale: Option<f64>,
    /// Scale of the logarithm in its denominator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mscale_all_dim: Option<f64>,
    /// Whether the interpolated range is widened to whole dimensions. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncate: Option<bool>,
}

/// transformers asks for a whole number where there is one.
fn whole<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match *value as u64 {
        whole if whole as f64 == *value => serializer.serialize_u64(whole),
        _ => serializer.serialize_f64(*value),
    }
}

fn whole_or_none<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => whole(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// What Llama 3 divides a frequency by that turns `turns` times within the first context: the factor up to `low` turns, nothing from
/// `high` on, between them the harmonic mean by how far it is from both.
#[cfg(feature = "torch")]
pub(crate) fn llama3_divisor(turns: f64, factor: f64, low: f64, high: f64) -> f64 {
    let share = ((turns - low) / (high - low)).clamp(0.0, 1.0);
    1.0 / ((1.0 - share) / factor + share)
}

impl RopeScaling {
    pub(crate) fn validate(&self) -> Result<()> {
        match *self {
            Self::Default {} => Ok(()),
            Self::Linear { factor } | Self::Dynamic { factor, .. } => {
                above_0("rope_scaling.factor", factor)
            }
            Self::Llama3 {
                factor,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_position_embeddings: original,
            } => {
                above_0("rope_scaling.factor", factor)?;
                above_0("rope_scaling.low_freq_factor", low)?;
                above_0("rope_scaling.original_max_position_embeddings", original)?;
                check(
                    high > low && high.is_finite(),
                    "rope_scaling.high_freq_factor",
                    high,
                    "above low_freq_factor",
                )
            }
            Self::Yarn(ref yarn) => yarn.validate(),
        }
    }
}

impl Yarn {
    fn validate(&self) -> Result<()> {
        let factor = self.factor;
        check(
            factor >= 1.0 && factor.is_finite(),
            "rope_scaling.factor",
            factor,
            "at least 1",
        )?;
        for (name, value) in [
            (
                "rope_scaling.original_max_position_embeddings",
                self.original_max_position_embeddings,
            ),
            ("rope_scaling.attention_factor", self.attention_factor),
            ("rope_scaling.beta_fast", self.beta_fast),
            ("rope_scaling.beta_slow", self.beta_slow),
        ] {
            value.map_or(Ok(()), |value| above_0(name, value))?;
        }
        for (name, value) in [
            ("rope_scaling.mscale", self.mscale),
            ("rope_scaling.mscale_all_dim", self.mscale_all_dim),
        ] {
            let value = value.unwrap_or(0.0);
            check(
                value >= 0.0 && value.is_finite(),
                name,
                value,
                "in [0, inf)",
            )?;
        }
        Ok(())
    }

    /// What cosines and sines are multiplied by.
    #[cfg(feature = "torch")]
    pub(crate) fn attention_factor(&self) -> f64 {
        let scale = |by: f64| 0.1 * by * self.factor.ln() + 1.0;
        // As in transformers, 0 counts as absent.
        let given = |value: Option<f64>| value.filter(|value| *value != 0.0);
        match (
            self.attention_factor,
            given(self.mscale),
            given(self.mscale_all_dim),
        ) {
            (Some(factor), ..) => factor,
            (None, Some(over), Some(under)) => scale(over) / scale(under),
            _ => scale(1.0),
        }
    }
}

fn above_0(name: &'static str, value: f64) -> Result<()> {
    check(
        value > 0.0 && value.is_finite(),
        name,
        value,
        "above 0 and finite",
    )
}

/// Brings the spellings of `rope_theta` and `rope_scaling` together: newer configurations keep both in `rope_parameters`, older
/// ones call `rope_type` `type`.
///
/// # Errors
/// Says which keys contradict each other.
pub(crate) fn unify(config: &mut Map<String, Value>) -> Result<(), String> {
    match config.remove("rope_parameters") {
        None | Some(Value::Null) => {}
        Some(Value::Object(mut parameters)) => {
            if let Some(theta) = parameters.remove("rope_theta") {
                put(config, "rope_theta", theta)?;
            }
            if !parameters.is_empty() {
                put(config, "rope_scaling", Value::Object(parameters))?;
            }
        }
        Some(other) => {
            return Err(format!("rope_parameters must be an object, got {other}"));
        }
    }
    let scaling = config.get_mut("rope_scaling");
    if let Some(scaling) = scaling.and_then(Value::as_object_mut)
        && let Some(kind) = scaling.remove("type")
    {
        // Versions of transformers differ in which of the two they follow.
        put(scaling, "rope_type", kind).map_err(|what| {
            format!("rope_scaling.type and rope_scaling.{what}: keep the one that is meant")
        })?;
    }
    let scaling = config.get_mut("rope_scaling");
    if let Some(scaling) = scaling.and_then(Value::as_object_mut)
        && scaling
            .get("rope_type")
            .is_some_and(|kind| kind == "default")
    {
        // Settings of a stretching that is not asked for do nothing.
        scaling.retain(|key, _| key == "rope_type");
    }
    Ok(())
}

/// Puts a value where there is none, or the same one.
fn put(map: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), String> {
    match map.get(key) {
        Some(old) if !old.is_null() && *old != value => {
            Err(format!("{key} contradict each other: {value} and {old}"))
        }
        _ => {
            map.insert(key.to_owned(), value);
            Ok(())
        }
    }
}
