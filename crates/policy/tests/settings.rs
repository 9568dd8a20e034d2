//! Settings of the objective that the reference losses do not cover, by hand.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use approx::assert_relative_eq;
use rerec_policy::{Error, KlEstimator, Objective, ObjectiveConfig, Surrogate, TokenTerm};

fn objective(config: ObjectiveConfig) -> Objective {
    Objective::new(config).unwrap()
}

/// A ratio of 1.25: beyond 1 + 0.2, within 1 + 0.28. The lower side stays where it was.
#[test]
fn clip_higher_lets_a_token_grow() {
    let higher = objective(ObjectiveConfig {
        clip_high: 0.28,
        ..Default::default()
    });
    let plain = objective(ObjectiveConfig::default());
    let rising = |objective: &Objective| objective.token(-1.0, 1.25f64.ln(), None, 2.0);
    assert!(rising(&plain).clipped);
    assert_relative_eq!(rising(&plain).loss, -2.4, max_relative = 1e-12);
    assert_eq!(rising(&plain).gradient, 0.0);
    assert!(!rising(&higher).clipped);
    assert_relative_eq!(rising(&higher).gradient, -2.5, max_relative = 1e-12);
    let falling = |objective: &Objective| objective.token(-1.0, 0.75f64.ln(), None, -2.0);
    assert_eq!(falling(&plain), falling(&higher));
    assert_relative_eq!(falling(&higher).loss, 1.6, max_relative = 1e-12);
}

/// h = exp(0.5), d = 0.5: k3 = exp(0.5) - 1.5, its slope with h is -h d, that of the KL divergence itself.
#[test]
fn an_unbiased_kl_is_weighted_by_the_ratio() {
    let unbiased = objective(ObjectiveConfig {
        unbiased_kl: true,
        kl_coefficient: 1.0,
        ..Default::default()
    });
    // No advantage: what is left is the KL term.
    let term = unbiased.token(-1.0, 0.5, Some(-0.5), 0.0);
    let ratio = 0.5f64.exp();
    assert_relative_eq!(term.kl, ratio * (ratio - 1.5), max_relative = 1e-12);
    assert_relative_eq!(term.gradient, -0.5 * ratio, max_relative = 1e-12);
    // On policy the estimate is the plain one, and the slope is not.
    let term = unbiased.token(-1.0, 0.0, Some(-0.5), 0.0);
    assert_relative_eq!(term.kl, ratio - 1.5, max_relative = 1e-12);
    assert_relative_eq!(term.gradient, -0.5, max_relative = 1e-12);
}

#[test]
fn gradients_of_an_unbiased_kl_equal_finite_differences() {
    for kl in [
        KlEstimator::K1,
        KlEstimator::Abs,
        KlEstimator::K2,
        KlEstimator::K3,
    ] {
        let objective = objective(ObjectiveConfig {
            kl,
            unbiased_kl: true,
            kl_coefficient: 0.7,
            ..Default::default()
        });
        for (log_prob, old, reference, advantage) in [
            (-1.0, -1.1, -0.7, 0.8),
            (-2.0, -1.95, -2.5, -1.3),
            (-0.5, -2.0, -0.4, 1.0),
            (-3.0, -1.0, -3.3, -0.2),
        ] {
            let at = |x: f64| objective.token(x, x - old, Some(reference), advantage);
            let numeric = (at(log_prob + 1e-6).loss - at(log_prob - 1e-6).loss) / 2e-6;
            assert_relative_eq!(at(log_prob).gradient, numeric, epsilon = 1e-8);
        }
    }
}

fn dppo(surrogate: Surrogate, bound: f64) -> impl Fn(f64, f64, f64) -> TokenTerm {
    let objective = objective(ObjectiveConfig {
        surrogate,
        clip_low: bound,
        clip_high: bound,
        ..Default::default()
    });
    // From the probability at sampling time to that now.
    move |q: f64, p: f64, advantage| objective.token(p.ln(), p.ln() - q.ln(), None, advantage)
}

#[test]
fn dppo_bounds_what_probability_moves() {
    let token = dppo(Surrogate::DppoTv, 0.2);
    // A rare token, three times as likely: a ratio would be clipped, but only 0.02 of probability have moved.
    let rare = token(0.01, 0.03, 1.0);
    assert!(!rare.clipped);
    assert_relative_eq!(rare.gradient, -3.0, max_relative = 1e-12);
    assert_relative_eq!(rare.loss, -3.0 * 0.03f64.ln(), max_relative = 1e-12);
    // A frequent one within the ratio's range: 0.9 - 0.65 is beyond the bound.
    let frequent = token(0.65, 0.9, 1.0);
    assert_eq!(
        (frequent.loss, frequent.gradient, frequent.clipped),
        (0.0, 0.0, true)
    );
    // Back towards where it was it may always go.
    assert_relative_eq!(
        token(0.65, 0.9, -1.0).gradient,
        0.9 / 0.65,
        max_relative = 1e-12
    );
    assert!(token(0.9, 0.65, -1.0).clipped);
    assert!(!token(0.9, 0.65, 1.0).clipped);
    assert!(!token(0.9, 0.65, 0.0).clipped);
    // The ratio counts as 20 at most.
    assert_relative_eq!(token(0.001, 0.1, 1.0).gradient, -20.0, max_relative = 1e-12);
}

/// From 0.5 to 0.75: 0.5 ln(0.5 / 0.75) + 0.5 ln(0.5 / 0.25) = 0.1438.
#[test]
fn dppo_may_bound_the_kl_divergence_instead() {
    let divergence = 0.5 * (2.0f64 / 3.0).ln() + 0.5 * 2.0f64.ln();
    for (bound, clipped) in [(divergence - 1e-6, true), (divergence + 1e-6, false)] {
        let token = dppo(Surrogate::DppoKl, bound);
        assert_eq!(token(0.5, 0.75, 1.0).clipped, clipped);
        assert_eq!(token(0.5, 0.25, -1.0).clipped, clipped);
        assert!(!token(0.5, 0.75, -1.0).clipped);
    }
    // A token that has become certain is at a finite distance.
    let certain = dppo(Surrogate::DppoKl, 0.05)(0.5, 1.0, 1.0);
    assert!(certain.clipped && certain.loss == 0.0);
}

#[test]
fn equal_entropies_are_treated_alike() {
    let forks = |top_entropy: f64, entropies: &[f32]| {
        let config = ObjectiveConfig {
            top_entropy,
            ..Default::default()
        };
        objective(config).forks(entropies)
    };
    // A fifth of five is one; two are as high.
    let entropies = [0.5, 1.0, 0.2, 1.0, 0.0];
    assert_eq!(
        forks(0.2, &entropies),
        Some(vec![false, true, false, true, false])
    );
    // Three fifths: the third highest is 0.5.
    assert_eq!(
        forks(0.6, &entropies),
        Some(vec![true, true, false, true, false])
    );
    assert_eq!(forks(1.0, &entropies), None);
    assert_eq!(forks(0.2, &[]), Some(vec![]));
}

#[test]
fn what_cannot_be_is_named() {
    let refuse = |config: ObjectiveConfig| match Objective::new(config) {
        Err(Error::InvalidSetting { setting, .. }) => setting,
        other => panic!("expected a refusal, got {other:?}"),
    };
    let base = ObjectiveConfig::default;
    for top_entropy in [0.0, 1.1, f64::NAN] {
        let refused = refuse(ObjectiveConfig {
            top_entropy,
            ..base()
        });
        assert_eq!(refused, "top_entropy");
    }
    let of_a_sequence = refuse(ObjectiveConfig {
        surrogate: Surrogate::Gspo,
        unbiased_kl: true,
        ..base()
    });
    assert_eq!(of_a_sequence, "unbiased_kl");
    let dual = refuse(ObjectiveConfig {
        surrogate: Surrogate::DppoTv,
        dual_clip: Some(3.0),
        ..base()
    });
    assert_eq!(dual, "dual_clip");
}
