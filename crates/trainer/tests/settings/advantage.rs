//! Parts, penalties and deviations on the way to advantages.

use super::*;

/// Rankings 1, 0, 0 have mean 1/3 and std 1/√3, query alignments 1, 0.5, 0 mean 0.5 and std 0.5; formats are equal.
#[test]
fn parts_of_the_reward_are_normalised_one_by_one() {
    let settings = [
        "advantage.parts=normalised",
        "advantage.estimator=dr_grpo",
        "reward.weights.query=0.2",
    ];
    let told = tell(&settings, &["q1", "q2"], one_hit);
    let root = 3f64.sqrt();
    let ranking = [2.0 / root, -1.0 / root, -1.0 / root];
    let with_hit = [ranking[0] + 0.2, ranking[1], ranking[2] - 0.2];
    assert_advantages(&told.updates[0][0], &with_hit);
    // Without a hit, alignments 0.5, 0, 0 are all there is: they keep their weight, and no more.
    let without = ranking.map(|value| 0.2 * value);
    assert_advantages(&told.updates[0][1], &without);
    // The log and the curriculum have the reward itself.
    let reward = told.groups[0].responses[0].reward.as_ref().unwrap();
    assert_abs_diff_eq!(reward.total, 0.05 + 1.0 + 0.2, epsilon = 1e-12);
}

/// GDPO's own form: the sums, which have the mean 0, over the std of all sums of the batch.
#[test]
fn normalised_parts_may_be_divided_by_the_std_of_the_batch() {
    let settings = [
        "advantage.parts=normalised",
        "advantage.estimator={ estimator = \"grpo\", over = \"batch\" }",
        "reward.weights.query=0.2",
    ];
    let told = tell(&settings, &["q1", "q2"], one_hit);
    let root = 3f64.sqrt();
    let sums = [2.0 / root + 0.2, -1.0 / root, -1.0 / root - 0.2];
    let small = [0.4 / root, -0.2 / root, -0.2 / root];
    let squares: f64 = sums.iter().chain(&small).map(|sum| sum * sum).sum();
    let std = (squares / 5.0).sqrt();
    assert_advantages(&told.updates[0][0], &sums.map(|sum| sum / std));
    assert_advantages(&told.updates[0][1], &small.map(|sum| sum / std));
}

/// The step for the wrong answer is worse by 0.3 of the sum, not of the reward.
#[test]
fn a_step_penalty_beside_normalised_parts_is_a_share_of_the_sum() {
    let settings = [
        "advantage.parts=normalised",
        "advantage.estimator={ estimator = \"raae\", std = \"none\" }",
        "reward.weights.query=0",
    ];
    let told = tell(&settings, &["q1", "q2"], one_hit);
    let casino = &told.updates[0][0].responses[1].advantages;
    let sum = -1.0 / 3f64.sqrt();
    let whole = casino[7];
    assert_abs_diff_eq!(casino[0] - whole, 0.3 * sum, epsilon = 1e-5);
    assert_eq!((casino[6], casino[21]), (casino[0], whole));
}

#[test]
fn remax_has_no_group_to_normalise_in() {
    let runs = tempfile::tempdir().unwrap();
    let remax = "advantage.estimator=remax";
    for (setting, named) in [
        ("advantage.parts=normalised", "parts"),
        (
            "reinforcement.overlong={ cache = 4, weight = 1.0 }",
            "overlong",
        ),
        ("reinforcement.length={ weight = 1.0 }", "length"),
    ] {
        let refused = config(runs.path(), &[remax, setting])
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("remax") && refused.contains(named),
            "{refused}"
        );
    }
}

/// Rewards of q1: 1.06, 0.055, 0.05; of q2: 0.055, 0.05, 0.05. A penalty of 0.3 · 2 is taken off the step for Casino.
#[test]
fn a_penalty_in_the_advantage_is_bounded_and_beside_a_hit() {
    let settings = |everywhere: bool| {
        format!(
            "advantage.penalty={{ in = \"advantage\", size = 2.0, only_beside_hit = {} }}",
            !everywhere
        )
    };
    let plain = tell(&["advantage.estimator=grpo"], &["q1", "q2"], one_hit);
    for everywhere in [false, true] {
        let settings = ["advantage.estimator=grpo", &settings(everywhere)];
        let told = tell(&settings, &["q1", "q2"], one_hit);
        for (group, (plain, told)) in plain.updates[0].iter().zip(&told.updates[0]).enumerate() {
            for (plain, told) in plain.responses.iter().zip(&told.responses) {
                let is_casino = plain.token_ids.len() == CASINO.len();
                let acts = is_casino && (everywhere || group == 0);
                for (token, (plain, told)) in
                    plain.advantages.iter().zip(&told.advantages).enumerate()
                {
                    let expected = if acts && token < 7 { 0.6 } else { 0.0 };
                    assert_abs_diff_eq!(plain - told, expected, epsilon = 1e-12);
                }
            }
        }
        // The step of the log has the advantage that was learned from.
        let step = &told.groups[0].responses[1].steps[0];
        assert!(step.penalised);
        let learned = told.updates[0][0].responses[1].advantages[0];
        assert_abs_diff_eq!(step.advantage, learned, epsilon = 1e-12);
    }
}

/// RAAE then compares whole rewards: 12 tokens of 1.06, 22 of 0.055, 13 of 0.05.
#[test]
fn raae_sees_whole_rewards_where_the_penalty_is_in_the_advantage() {
    let told = tell(&["advantage.penalty=advantage"], &["q1", "q2"], one_hit);
    let rewards = [vec![1.06; 12], vec![0.055; 22], vec![0.05; 13]].concat();
    let mean = rewards.iter().sum::<f64>() / 47.0;
    let squares: f64 = rewards.iter().map(|r| (r - mean) * (r - mean)).sum();
    let of = |reward: f64| (reward - mean) / ((squares / 46.0).sqrt() + 1e-6);
    let [heat, casino, alien] = &told.updates[0][0].responses[..] else {
        panic!("{told:?}", told = told.updates)
    };
    assert_abs_diff_eq!(heat.advantages[3], of(1.06), epsilon = 1e-9);
    assert_abs_diff_eq!(casino.advantages[3], of(0.055) - 0.3, epsilon = 1e-9);
    assert_abs_diff_eq!(casino.advantages[9], of(0.055), epsilon = 1e-9);
    assert_abs_diff_eq!(alien.advantages[3], of(0.05), epsilon = 1e-9);
}

/// The reward of q2's responses differ by 0.005: over their own std that is 1.15, over the batch's it stays small.
#[test]
fn a_group_without_a_hit_may_be_divided_by_the_std_of_the_batch() {
    let estimator = "advantage.estimator={ estimator = \"grpo\", over = \"batch_without_hit\" }";
    let told = tell(&[estimator], &["q1", "q2"], one_hit);
    let rewards = [1.06, 0.055, 0.05, 0.055, 0.05, 0.05f64];
    let std = |rewards: &[f64]| {
        let mean = rewards.iter().sum::<f64>() / rewards.len() as f64;
        let squares: f64 = rewards.iter().map(|r| (r - mean) * (r - mean)).sum();
        (squares / (rewards.len() - 1) as f64).sqrt()
    };
    let over = |group: &[f64], std: f64| -> Vec<f64> {
        let mean = group.iter().sum::<f64>() / 3.0;
        group.iter().map(|r| (r - mean) / std).collect()
    };
    let own = over(&rewards[..3], std(&rewards[..3]));
    assert_advantages(&told.updates[0][0], &own);
    let small = over(&rewards[3..], std(&rewards));
    assert!(small[0] < 0.01);
    assert_advantages(&told.updates[0][1], &small);
}
