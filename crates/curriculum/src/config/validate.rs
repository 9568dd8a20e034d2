//! Ranges of the settings.

use super::{CurriculumConfig, DifficultyConfig, MetricConfig, OrderConfig, Recheck};
use crate::pool::Pool;
use crate::{Error, Result};

/// Sums and squares of numbers up to this stay finite.
const MOST: f64 = 1e100;

impl CurriculumConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] names the setting, the value and the range.
    pub fn validate(&self) -> Result<()> {
        require(self.tau.is_finite(), "tau", "finite", self.tau)?;
        require(
            self.batch_size >= 1,
            "batch_size",
            "at least 1",
            self.batch_size,
        )?;
        self.validate_metric()?;
        self.validate_difficulty()?;
        validate_order(&self.order)?;
        match self.recheck {
            Recheck::Every(epochs) => require(epochs >= 1, "recheck.every", "at least 1", epochs)?,
            Recheck::Share(share) => require(
                share > 0.0 && share <= 1.0,
                "recheck.share",
                "in (0, 1]",
                share,
            )?,
            Recheck::Never => {}
        }
        self.quotas
            .values()
            .try_for_each(|&quota| require(quota >= 1, "quotas", "at least 1 each", quota))
    }

    /// Every quota is for a class that occurs.
    pub(crate) fn check_quotas(&self, pool: &Pool) -> Result<()> {
        let known = || pool.classes().iter().flatten();
        match self
            .quotas
            .keys()
            .find(|class| !known().any(|label| label == *class))
        {
            Some(class) => Err(Error::UnknownClass {
                class: class.clone(),
                known: known().cloned().collect(),
            }),
            None => Ok(()),
        }
    }

    fn validate_metric(&self) -> Result<()> {
        let MetricConfig {
            lowest, highest, ..
        } = self.metric;
        for (setting, bound) in [("metric.lowest", lowest), ("metric.highest", highest)] {
            require(
                bound.abs() <= MOST,
                setting,
                format!("in [-{MOST:e}, {MOST:e}]"),
                bound,
            )?;
        }
        require(
            highest > lowest,
            "metric.highest",
            format!("above metric.lowest = {lowest}"),
            highest,
        )
    }

    fn validate_difficulty(&self) -> Result<()> {
        let unit = |estimator: &'static str| {
            let range = format!("[{}, {}]", self.metric.lowest, self.metric.highest);
            let allowed = format!("within [0, 1] or rescaled for the {estimator} estimator");
            require(self.metric.yields_unit_interval(), "metric", allowed, range)
        };
        match self.difficulty {
            DifficultyConfig::Mean => Ok(()),
            DifficultyConfig::Spread => unit("spread"),
            DifficultyConfig::Ema { weight } => require(
                weight > 0.0 && weight <= 1.0,
                "difficulty.ema.weight",
                "in (0, 1]",
                weight,
            ),
            DifficultyConfig::Beta {
                prior,
                retention,
                deviations,
            } => {
                unit("beta")?;
                require(
                    prior > 0.0 && prior <= MOST,
                    "difficulty.beta.prior",
                    format!("in (0, {MOST:e}]"),
                    prior,
                )?;
                require(
                    (0.0..=1.0).contains(&retention),
                    "difficulty.beta.retention",
                    "in [0, 1]",
                    retention,
                )?;
                let margin_ok = deviations >= 0.0 && deviations.is_finite();
                require(
                    margin_ok,
                    "difficulty.beta.deviations",
                    "finite and at least 0",
                    deviations,
                )
            }
        }
    }
}

fn validate_order(order: &OrderConfig) -> Result<()> {
    match order {
        OrderConfig::Buckets { count } => {
            require(*count >= 1, "order.buckets.count", "at least 1", count)
        }
        OrderConfig::Mixture(parts) => {
            require(
                !parts.is_empty(),
                "order.mixture",
                "a list of at least 1 part",
                "an empty list",
            )?;
            parts.iter().try_for_each(|part| {
                let weight_ok = part.weight > 0.0 && part.weight.is_finite();
                require(
                    weight_ok,
                    "order.mixture.weight",
                    "finite and above 0",
                    part.weight,
                )?;
                let flat = !matches!(part.order, OrderConfig::Mixture(_));
                require(
                    flat,
                    "order.mixture.order",
                    "anything but a mixture",
                    "a mixture",
                )?;
                validate_order(&part.order)
            })
        }
        _ => Ok(()),
    }
}

fn require(
    ok: bool,
    setting: &'static str,
    allowed: impl Into<String>,
    got: impl ToString,
) -> Result<()> {
    if ok {
        Ok(())
    } else {
        Err(Error::InvalidSetting {
            setting,
            got: got.to_string(),
            allowed: allowed.into(),
        })
    }
}
