//! The BPR loss of a batch and its gradient.

use super::sampling::Triplet;

/// Mean of softplus(-(u·p - u·n)) over the batch; adds its gradient, `[nodes, d]`, to `gradient`.
pub(super) fn ranking_loss(
    batch: &[Triplet],
    dimension: usize,
    embeddings: &[f32],
    gradient: &mut [f32],
) -> f64 {
    let share = 1.0 / batch.len() as f32;
    let mut loss = 0.0;
    for triplet in batch {
        let [user, positive, negative] = triplet
            .nodes()
            .map(|node| node as usize * dimension)
            .map(|at| at..at + dimension);
        let (u, p) = (&embeddings[user.clone()], &embeddings[positive.clone()]);
        let n = &embeddings[negative.clone()];
        let margin = difference_dot(u, p, n);
        loss += softplus(-margin);
        // The derivative of softplus is the sigmoid.
        let pull = share * sigmoid(-margin) as f32;
        for k in 0..dimension {
            gradient[user.start + k] -= pull * (p[k] - n[k]);
            gradient[positive.start + k] -= pull * u[k];
            gradient[negative.start + k] += pull * u[k];
        }
    }
    loss / batch.len() as f64
}

/// λ / 2B · Σ (|u|² + |p|² + |n|²) over the layer-0 rows of the batch; adds its gradient.
pub(super) fn l2_loss(
    batch: &[Triplet],
    weight: f64,
    dimension: usize,
    embeddings: &[f32],
    gradient: &mut [f32],
) -> f64 {
    let share = weight / batch.len() as f64;
    let mut squares = 0.0;
    // A node that occurs in several triplets counts as often, as in the authors' code.
    for node in batch.iter().flat_map(Triplet::nodes) {
        let row = node as usize * dimension..(node as usize + 1) * dimension;
        for (g, &x) in gradient[row.clone()].iter_mut().zip(&embeddings[row]) {
            squares += f64::from(x * x);
            *g += share as f32 * x;
        }
    }
    // Half of the squares, whose gradient is the row itself, as in the loop.
    0.5 * share * squares
}

fn difference_dot(u: &[f32], p: &[f32], n: &[f32]) -> f64 {
    u.iter()
        .zip(p.iter().zip(n))
        .map(|(u, (p, n))| f64::from(u * (p - n)))
        .sum()
}

/// ln(1 + eˣ) without overflow.
fn softplus(x: f64) -> f64 {
    // The exponent is never positive, so that nothing overflows.
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    // Where the exponential overflows, 1 / ∞ is the limit 0.
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    const D: usize = 3;

    fn batch() -> [Triplet; 3] {
        [(0, 2, 4), (1, 3, 2), (0, 3, 4)].map(|(user, positive, negative)| Triplet {
            user,
            positive,
            negative,
        })
    }

    fn embeddings() -> Vec<f32> {
        (0..5 * D)
            .map(|i| ((i * 7 % 11) as f32 - 5.0) / 4.0)
            .collect()
    }

    #[test]
    fn by_hand() {
        // One triplet with u = 2, p = 1, n = 0.5: margin 1, loss ln(1 + e^-1).
        let batch = [Triplet {
            user: 0,
            positive: 1,
            negative: 2,
        }];
        let mut gradient = [0.0; 3];
        let loss = ranking_loss(&batch, 1, &[2.0, 1.0, 0.5], &mut gradient);
        assert_relative_eq!(loss, (1.0 + (-1.0f64).exp()).ln(), epsilon = 1e-12);
        let pull = 1.0 / (1.0 + 1.0f32.exp());
        let expected = [-pull * 0.5, -pull * 2.0, pull * 2.0];
        gradient
            .iter()
            .zip(expected)
            .for_each(|(g, e)| assert_relative_eq!(*g, e, epsilon = 1e-6));
        // (4 + 1 + 0.25) · 0.2 / 2
        assert_relative_eq!(
            l2_loss(&batch, 0.2, 1, &[2.0, 1.0, 0.5], &mut gradient),
            0.525,
            epsilon = 1e-6
        );
    }

    #[test]
    fn gradients_equal_finite_differences() {
        type Loss = fn(&[f32], &mut [f32]) -> f64;
        let losses: [Loss; 2] = [
            |x, g| ranking_loss(&batch(), D, x, g),
            |x, g| l2_loss(&batch(), 0.3, D, x, g),
        ];
        let h = 1e-2;
        for loss in losses {
            let mut gradient = vec![0.0; 5 * D];
            loss(&embeddings(), &mut gradient);
            for (i, &gradient) in gradient.iter().enumerate() {
                let at = |step: f32| {
                    let mut x = embeddings();
                    x[i] += step;
                    loss(&x, &mut [0.0; 5 * D])
                };
                let slope = (at(h) - at(-h)) / f64::from(2.0 * h);
                assert_relative_eq!(f64::from(gradient), slope, epsilon = 2e-4);
            }
        }
    }

    #[test]
    fn huge_margins_stay_finite() {
        assert_eq!(softplus(-1e4), 0.0);
        assert_eq!(softplus(1e4), 1e4);
        assert_eq!((sigmoid(-1e4), sigmoid(1e4)), (0.0, 1.0));
    }
}
