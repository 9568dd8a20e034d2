//! The distribution that a token is drawn from, and the draw.

use std::collections::BTreeSet;

use tch::{Kind, Tensor};

use crate::{
    Sampling,
    error::{Result, check},
};

impl Sampling {
    pub(super) fn validate(&self) -> Result<()> {
        let share = |name, value: Option<f64>| match value {
            None => Ok(()),
            Some(value) => check(value > 0.0 && value <= 1.0, name, value, "in (0, 1]"),
        };
        check(
            self.temperature >= 0.0 && self.temperature.is_finite(),
            "temperature",
            self.temperature,
            "in [0, inf)",
        )?;
        check(
            self.max_new_tokens >= 1,
            "max_new_tokens",
            self.max_new_tokens,
            "at least 1",
        )?;
        check(
            self.min_new_tokens <= self.max_new_tokens,
            "min_new_tokens",
            self.min_new_tokens,
            "at most max_new_tokens",
        )?;
        if let Some(k) = self.top_k {
            check(k >= 1, "top_k", k, "at least 1")?;
        }
        share("top_p", self.top_p)?;
        share("min_p", self.min_p)?;
        check(
            self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite(),
            "repetition_penalty",
            self.repetition_penalty,
            "above 0",
        )?;
        let is_empty = self.stop.iter().position(String::is_empty);
        check(
            is_empty.is_none(),
            "stop",
            is_empty.unwrap_or_default(),
            "texts, none of them empty (the position is given)",
        )
    }

    /// Log-probabilities `[rows, vocab]` of the distribution sampled from; minus infinity for what was cut away. `seen` gives the
    /// ids in a row's prompt and response.
    ///
    /// The order is that of transformers: penalty, temperature, top-k, top-p, min-p.
    pub(super) fn distribution(
        &self,
        logits: &Tensor,
        seen: impl Fn(usize) -> BTreeSet<i64>,
    ) -> Result<Tensor> {
        let mut logits = logits.f_to_kind(Kind::Float)?;
        if self.repetition_penalty != 1.0 {
            logits = self.penalised(&logits, seen)?;
        }
        if self.temperature > 0.0 {
            if self.temperature != 1.0 {
                logits = logits.f_div_scalar(self.temperature)?;
            }
            logits = self.cut(logits)?;
        }
        Ok(logits.f_log_softmax(-1, None)?)
    }

    fn penalised(&self, logits: &Tensor, seen: impl Fn(usize) -> BTreeSet<i64>) -> Result<Tensor> {
        let rows: Vec<Tensor> = (0..logits.size2()?.0)
            .map(|row| {
                let ids: Vec<i64> = seen(row as usize).into_iter().collect();
                let ids = Tensor::f_from_slice(&ids)?;
                let logits = logits.f_get(row)?;
                let own = logits.f_index_select(0, &ids)?;
                let weaker = own
                    .f_clamp_min(0.0)?
                    .f_div_scalar(self.repetition_penalty)?;
                let stronger = own
                    .f_clamp_max(0.0)?
                    .f_mul_scalar(self.repetition_penalty)?;
                Ok(logits.f_index_copy(0, &ids, &weaker.f_add(&stronger)?)?)
            })
            .collect::<Result<_>>()?;
        Ok(Tensor::f_stack(&rows, 0)?)
    }

    fn cut(&self, mut logits: Tensor) -> Result<Tensor> {
        let vocab = logits.size2()?.1;
        if let Some(k) = self.top_k {
            let (largest, _) = logits.f_topk((k as i64).min(vocab), -1, true, true)?;
            let least = largest.f_amin([-1i64].as_slice(), true)?;
            logits = without(&logits, &logits.f_lt_tensor(&least)?)?;
        }
        if let Some(p) = self.top_p {
            let (sorted, order) = logits.f_sort(-1, true)?;
            let probs = sorted.f_softmax(-1, None)?;
            // What comes before a token has to leave something of p to it; the first always stays.
            let before = probs.f_cumsum(-1, None)?.f_sub(&probs)?;
            let beyond = before.f_ge(p)?;
            let _ = beyond.f_narrow(-1, 0, 1)?.f_fill_(0)?;
            let hidden = beyond.f_zeros_like()?.f_scatter(-1, &order, &beyond)?;
            logits = without(&logits, &hidden)?;
        }
        if let Some(share) = self.min_p {
            let probs = logits.f_softmax(-1, None)?;
            let least = probs
                .f_amax([-1i64].as_slice(), true)?
                .f_mul_scalar(share)?;
            logits = without(&logits, &probs.f_lt_tensor(&least)?)?;
        }
        Ok(logits)
    }
}

fn without(logits: &Tensor, hidden: &Tensor) -> Result<Tensor> {
    Ok(logits.f_masked_fill(hidden, f64::NEG_INFINITY)?)
}

/// Inverse-transform sampling by one uniform number in [0, 1) for each row: ids `[rows, 1]`.
pub(super) fn draw(log_probs: &Tensor, uniform: &[f32]) -> Result<Tensor> {
    let uniform = Tensor::f_from_slice(uniform)?.f_unsqueeze(1)?;
    let cumulative = log_probs.f_exp()?.f_cumsum(-1, None)?;
    let last = cumulative.size2()?.1 - 1;
    // Scaled by the true sum, which rounding leaves a little off 1, and kept below it: what has no probability is never drawn.
    let sum = cumulative.f_narrow(1, last, 1)?;
    let level = uniform.f_mul(&sum)?;
    let level = level.f_minimum(&sum.f_nextafter(&sum.f_zeros_like()?)?)?;
    let below = cumulative.f_le_tensor(&level)?;
    Ok(below.f_sum_dim_intlist([-1i64].as_slice(), true, Kind::Int64)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ln of 0.4, 0.3, 0.2, 0.1 in another order.
    fn logits() -> Tensor {
        Tensor::from_slice(&[0.2f32, 0.4, 0.1, 0.3])
            .log()
            .view([1, 4])
    }

    fn probs(sampling: &Sampling, seen: &[i64]) -> Vec<f32> {
        let seen = |_| seen.iter().copied().collect();
        let log_probs = sampling.distribution(&logits(), seen).unwrap();
        Vec::try_from(&log_probs.exp().view([-1])).unwrap()
    }

    #[track_caller]
    fn assert_close(got: &[f32], expected: &[f32]) {
        for (a, b) in got.iter().zip(expected) {
            approx::assert_abs_diff_eq!(a, b, epsilon = 1e-6);
        }
    }

    #[test]
    fn each_cut_leaves_what_its_definition_says() {
        let with = |change: fn(&mut Sampling)| {
            let mut sampling = Sampling::default();
            change(&mut sampling);
            probs(&sampling, &[])
        };
        assert_close(&with(|_| {}), &[0.2, 0.4, 0.1, 0.3]);
        assert_close(
            &with(|s| s.top_k = Some(2)),
            &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0],
        );
        // 0.4 and 0.3 reach 0.6, and the second is needed for it.
        assert_close(
            &with(|s| s.top_p = Some(0.6)),
            &[0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0],
        );
        assert_close(&with(|s| s.top_p = Some(1e-9)), &[0.0, 1.0, 0.0, 0.0]);
        // At least half of 0.4.
        assert_close(
            &with(|s| s.min_p = Some(0.499)),
            &[2.0 / 9.0, 4.0 / 9.0, 0.0, 3.0 / 9.0],
        );
        // Squares, divided by their sum of 0.3.
        assert_close(
            &with(|s| s.temperature = 0.5),
            &[0.04 / 0.3, 0.16 / 0.3, 0.01 / 0.3, 0.09 / 0.3],
        );
    }

    #[test]
    fn what_was_said_is_penalised() {
        // All logits are below 0, so that of the seen id is doubled: 0.4 becomes 0.16.
        let sampling = Sampling {
            repetition_penalty: 2.0,
            ..Default::default()
        };
        let sum = 0.2 + 0.16 + 0.1 + 0.3;
        assert_close(
            &probs(&sampling, &[1]),
            &[0.2 / sum, 0.16 / sum, 0.1 / sum, 0.3 / sum],
        );
    }

    #[test]
    fn a_draw_never_takes_what_was_cut_away() {
        let sampling = Sampling {
            top_k: Some(2),
            ..Default::default()
        };
        let log_probs = sampling
            .distribution(&logits(), |_| BTreeSet::new())
            .unwrap();
        let drawn = |uniform: f32| i64::try_from(draw(&log_probs, &[uniform]).unwrap()).unwrap();
        assert_eq!(drawn(0.0), 1);
        assert_eq!(drawn(0.57), 1);
        assert_eq!(drawn(0.58), 3);
        assert_eq!(drawn(1.0 - f32::EPSILON / 2.0), 3);
    }
}
