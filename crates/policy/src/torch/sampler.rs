//! The distribution that a token is drawn from.

use std::collections::BTreeSet;

use tch::{Kind, Tensor};

use crate::{Result, Sampling};

impl Sampling {
    /// Logits `[rows, vocab]` after the penalty and the cuts, minus infinity for what was cut away; still to be divided by
    /// [`Sampling::remaining_temperature`]. `seen` gives the ids in a row's prompt and response.
    ///
    /// The order is that of transformers: penalty, temperature, top-k, top-p, min-p.
    pub(super) fn shaped(
        &self,
        logits: &Tensor,
        seen: impl Fn(usize) -> BTreeSet<i64>,
    ) -> Result<Tensor> {
        let mut logits = logits.shallow_clone();
        if self.repetition_penalty != 1.0 {
            logits = self.penalised(&logits.f_to_kind(Kind::Float)?, seen)?;
        }
        if self.is_cut() {
            logits = self.cut(
                logits
                    .f_to_kind(Kind::Float)?
                    .f_div_scalar(self.temperature)?,
            )?;
        }
        Ok(logits)
    }

    /// The temperature that drawing still has to apply: 1 after a cut, which needs probabilities and has applied it.
    pub(super) fn remaining_temperature(&self) -> f64 {
        if self.is_cut() { 1.0 } else { self.temperature }
    }

    /// Greedy responses need no cuts: each leaves the most probable token.
    fn is_cut(&self) -> bool {
        let cuts = self.top_k.is_some() || self.top_p.is_some() || self.min_p.is_some();
        cuts && self.temperature > 0.0
    }

    fn penalised(&self, logits: &Tensor, seen: impl Fn(usize) -> BTreeSet<i64>) -> Result<Tensor> {
        let rows: Vec<Tensor> = (0..logits.size2()?.0)
            .map(|row| {
                // A set, so that a token is penalised once however often it was seen, as in transformers.
                let ids: Vec<i64> = seen(row as usize).into_iter().collect();
                let ids = Tensor::f_from_slice(&ids)?.f_to_device(logits.device())?;
                let logits = logits.f_get(row)?;
                let own = logits.f_index_select(0, &ids)?;
                // One of the two clamped halves is 0: their sum divides positive logits and multiplies negative ones, without a
                // mask.
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
            // Logits equal to the k-th stay, as in transformers.
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
            // The softmax is over what the other cuts left; the share of the maximum is the same over all tokens.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torch::ops;

    /// ln of 0.4, 0.3, 0.2, 0.1 in another order.
    fn logits() -> Tensor {
        Tensor::from_slice(&[0.2f32, 0.4, 0.1, 0.3])
            .log()
            .view([1, 4])
    }

    fn probs(sampling: &Sampling, seen: &[i64]) -> Vec<f32> {
        let seen = |_| seen.iter().copied().collect();
        let logits = sampling.shaped(&logits(), seen).unwrap() / sampling.remaining_temperature();
        Vec::try_from(&logits.softmax(-1, Kind::Float).view([-1])).unwrap()
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
        // A logit above 0 is halved.
        let logits = Tensor::from_slice(&[3.0f32, -1.0, 2.0]).view([1, 3]);
        let penalised = sampling
            .shaped(&logits, |_| BTreeSet::from([0, 1]))
            .unwrap();
        assert_eq!(
            Vec::<f32>::try_from(&penalised.view([-1])).unwrap(),
            [1.5, -2.0, 2.0]
        );
    }

    #[test]
    fn a_draw_never_takes_what_was_cut_away() {
        let sampling = Sampling {
            top_k: Some(2),
            ..Default::default()
        };
        let logits = sampling.shaped(&logits(), |_| BTreeSet::new()).unwrap();
        let drawn = |uniform: f32| {
            let (id, _) = ops::draw(&logits, &Tensor::from_slice(&[uniform]), 1.0).unwrap();
            id.int64_value(&[0])
        };
        assert_eq!(drawn(0.0), 1);
        assert_eq!(drawn(0.57), 1);
        assert_eq!(drawn(0.58), 3);
        assert_eq!(drawn(1.0 - f32::EPSILON / 2.0), 3);
    }
}
