//! The objective against reference losses and gradients (`data/policy_loss.json` says whence).

#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use approx::assert_relative_eq;
use rerec_policy::{Aggregation, Error, KlEstimator, Objective, ObjectiveConfig, Surrogate};
use serde_json::Value;

type Rows = Vec<Vec<f64>>;

struct Case {
    log_prob: Rows,
    old: Rows,
    reference: Rows,
    advantages: Rows,
    mask: Rows,
    json: Value,
}

fn cases() -> Vec<Case> {
    let text = include_str!("data/policy_loss.json");
    let file: Value = serde_json::from_str(text).unwrap();
    let rows = |v: &Value| serde_json::from_value::<Rows>(v.clone()).unwrap();
    let case = |json: &Value| Case {
        log_prob: rows(&json["log_prob"]),
        old: rows(&json["old_log_prob"]),
        reference: rows(&json["ref_log_prob"]),
        advantages: rows(&json["advantages"]),
        mask: rows(&json["mask"]),
        json: json.clone(),
    };
    file["cases"].as_array().unwrap().iter().map(case).collect()
}

fn valid(case: &Case) -> impl Iterator<Item = (usize, usize)> {
    let row = |(i, row): (usize, &Vec<f64>)| {
        row.iter()
            .enumerate()
            .filter(|(_, m)| **m > 0.0)
            .map(move |(t, _)| (i, t))
            .collect::<Vec<_>>()
    };
    case.mask
        .iter()
        .enumerate()
        .flat_map(row)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Loss and gradients of a whole batch.
fn loss_of(case: &Case, objective: &Objective, anchored: bool) -> (f64, Rows) {
    let lens: Vec<usize> = (0..case.mask.len())
        .map(|row| valid(case).filter(|&(i, _)| i == row).count())
        .collect();
    let weights = objective.weights(&lens);
    let log_ratio = |i: usize, t: usize| case.log_prob[i][t] - case.old[i][t];
    let sequence_log_ratio = |row: usize| {
        let own = valid(case).filter(|&(i, _)| i == row);
        own.map(|(i, t)| log_ratio(i, t)).sum::<f64>() / lens[row] as f64
    };
    let mut gradients: Rows = case.mask.iter().map(|row| vec![0.0; row.len()]).collect();
    let mut loss = 0.0;
    for (i, t) in valid(case) {
        let log_ratio = match objective.is_sequence_level() {
            true => sequence_log_ratio(i),
            false => log_ratio(i, t),
        };
        let reference = anchored.then_some(case.reference[i][t]);
        let term = objective.token(
            case.log_prob[i][t],
            log_ratio,
            reference,
            case.advantages[i][t],
        );
        loss += term.loss * weights[i];
        gradients[i][t] = term.gradient * weights[i];
    }
    (loss, gradients)
}

fn config(json: &Value, case: &Case) -> ObjectiveConfig {
    let number = |name: &str| json[name].as_f64();
    ObjectiveConfig {
        clip_low: number("clip_low").or(number("clip")).unwrap(),
        clip_high: number("clip_high").or(number("clip")).unwrap(),
        dual_clip: number("clip_c"),
        kl_coefficient: number("kl_coef").unwrap_or(0.0),
        aggregation: match json["agg"].as_str() {
            Some("seq-mean-token-sum") => Aggregation::SequenceMeanTokenSum,
            Some("seq-mean-token-mean") => Aggregation::SequenceMeanTokenMean,
            Some("seq-mean-token-sum-norm") => {
                Aggregation::SequenceMeanTokenSumOver(case.mask[0].len() as f64)
            }
            Some("token-mean") => Aggregation::TokenMean,
            other => panic!("unexpected aggregation {other:?}"),
        },
        ..Default::default()
    }
}

/// Returns whether the reference gives gradients, so that they were compared.
#[track_caller]
fn assert_matches(expected: &Value, loss: f64, gradients: &Rows, what: &str) -> bool {
    // The reference adds 1e-8 to the length of each row that it takes the mean of.
    let by_row = expected["agg"] == "seq-mean-token-mean";
    let tolerance = if by_row { 1e-8 } else { 1e-9 };
    assert_relative_eq!(
        loss,
        expected["loss"].as_f64().unwrap(),
        max_relative = tolerance,
        epsilon = tolerance
    );
    let Ok(golden) = serde_json::from_value::<Rows>(expected["grad_log_prob"].clone()) else {
        return false;
    };
    for (a, b) in gradients.iter().flatten().zip(golden.iter().flatten()) {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1.0),
            "{what}: gradient {a}, expected {b}"
        );
    }
    true
}

#[track_caller]
fn compare(case: &Case, expected: &Value, config: ObjectiveConfig, anchored: bool) -> bool {
    let objective = Objective::new(config).unwrap();
    let (loss, gradients) = loss_of(case, &objective, anchored);
    assert_matches(expected, loss, &gradients, &case.json["id"].to_string())
}

/// Every aggregation but the plain sum, which knows no batch size.
#[test]
fn clipped_surrogates_match() {
    let (mut losses, mut gradients) = (0, 0);
    for case in cases() {
        let listed = case.json["vanilla"].as_array().unwrap();
        for expected in listed.iter().chain([&case.json["ppo_no_dual_clip"]]) {
            if expected["agg"] != "token-sum" {
                losses += 1;
                gradients += usize::from(compare(&case, expected, config(expected, &case), false));
            }
        }
    }
    assert_eq!((losses, gradients), (182, 28), "compared");
}

#[test]
fn sequence_ratios_match() {
    for case in cases() {
        for name in ["gspo", "gspo_tight"] {
            let mut expected = case.json["others"][name].clone();
            expected["agg"] = "seq-mean-token-mean".into();
            let config = ObjectiveConfig {
                surrogate: Surrogate::Gspo,
                ..config(&expected, &case)
            };
            let has_gradients = compare(&case, &expected, config, false);
            assert_eq!(has_gradients, name == "gspo", "{name}");
        }
    }
}

#[test]
fn held_ratios_match() {
    for case in cases() {
        let expected = &case.json["others"]["cispo"];
        let config = ObjectiveConfig {
            surrogate: Surrogate::Cispo,
            ..config(expected, &case)
        };
        assert!(compare(&case, expected, config, false));
    }
}

#[test]
fn the_whole_objective_matches() {
    for case in cases() {
        let expected = &case.json["rerec_objective"];
        assert!(compare(&case, expected, config(expected, &case), true));
    }
}

#[test]
fn kl_estimators_match() {
    let named = [
        ("k1", KlEstimator::K1),
        ("abs", KlEstimator::Abs),
        ("mse", KlEstimator::K2),
        ("low_var_kl", KlEstimator::K3),
    ];
    for case in cases() {
        for (name, kl) in named {
            let expected = &case.json["kl"][name];
            let config = ObjectiveConfig {
                kl,
                kl_coefficient: 1.0,
                ..Default::default()
            };
            let objective = Objective::new(config).unwrap();
            let golden: Rows = serde_json::from_value(expected["per_token"].clone()).unwrap();
            // The reference gives no gradients for some extreme cases.
            let slopes: Option<Rows> =
                serde_json::from_value(expected["grad_token_mean"].clone()).unwrap();
            let count = valid(&case).count() as f64;
            for (i, t) in valid(&case) {
                // No advantage: what is left is the KL term.
                let term =
                    objective.token(case.log_prob[i][t], 0.0, Some(case.reference[i][t]), 0.0);
                assert_relative_eq!(term.kl, golden[i][t], max_relative = 1e-9, epsilon = 1e-9);
                if let Some(slopes) = &slopes {
                    let slope = term.gradient / count;
                    assert_relative_eq!(slope, slopes[i][t], max_relative = 1e-9, epsilon = 1e-9);
                }
            }
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    let objective = Objective::new(ObjectiveConfig::default()).unwrap();
    for (log_prob, old, reference, advantage) in [
        (-1.0, -1.1, -0.7, 0.8),
        (-2.0, -1.95, -2.5, -1.3),
        (-0.5, -2.0, -0.4, 1.0),
        (-3.0, -1.0, -3.3, -0.2),
    ] {
        let at = |x: f64| objective.token(x, x - old, Some(reference), advantage).loss;
        let numeric = (at(log_prob + 1e-6) - at(log_prob - 1e-6)) / 2e-6;
        let term = objective.token(log_prob, log_prob - old, Some(reference), advantage);
        assert_relative_eq!(term.gradient, numeric, epsilon = 1e-8);
    }
}

#[test]
fn impossible_settings_are_named() {
    let refuse = |config: ObjectiveConfig| match Objective::new(config) {
        Err(Error::InvalidSetting { setting, got, .. }) => (setting, got),
        other => panic!("expected a refusal, got {other:?}"),
    };
    let base = ObjectiveConfig::default;
    assert_eq!(
        refuse(ObjectiveConfig {
            clip_low: 1.0,
            ..base()
        }),
        ("clip_low", "1".into())
    );
    assert_eq!(
        refuse(ObjectiveConfig {
            clip_high: f64::NAN,
            ..base()
        })
        .0,
        "clip_high"
    );
    assert_eq!(
        refuse(ObjectiveConfig {
            dual_clip: Some(1.0),
            ..base()
        })
        .0,
        "dual_clip"
    );
    for surrogate in [Surrogate::Gspo, Surrogate::Cispo] {
        let refused = refuse(ObjectiveConfig {
            surrogate,
            dual_clip: Some(3.0),
            ..base()
        });
        assert_eq!(refused, ("dual_clip", "3".into()));
    }
    assert_eq!(
        refuse(ObjectiveConfig {
            aggregation: Aggregation::SequenceMeanTokenSumOver(0.0),
            ..base()
        }),
        ("sequence_mean_token_sum_over", "0".into())
    );
    assert_eq!(
        refuse(ObjectiveConfig {
            kl_coefficient: -0.1,
            ..base()
        })
        .0,
        "kl_coefficient"
    );
}
