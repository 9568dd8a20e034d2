//! Responses that are cut off, and long ones.

use super::*;

/// Casino's 22 tokens are cut at 15, so that its box is lost; its reward counts for the others.
#[test]
fn truncated_responses_may_be_masked() {
    let settings = [
        "reinforcement.max_new_tokens=15",
        "advantage.estimator=dr_grpo",
    ];
    let plain = tell(&settings, &["q1", "q2"], one_hit);
    let masked = ["reinforcement.mask_truncated=true"];
    let told = tell(
        &[&settings[..], &masked[..]].concat(),
        &["q1", "q2"],
        one_hit,
    );
    assert_eq!(plain.updates[0][0].responses.len(), 3);
    let left: Vec<usize> = told.updates[0][0]
        .responses
        .iter()
        .map(|r| r.sample)
        .collect();
    assert_eq!(left, [0, 2]);
    // 1.06, -0.55 and 0.05 have the mean 0.56 / 3.
    let mean = 0.56 / 3.0;
    assert_advantages(&told.updates[0][0], &[1.06 - mean, 0.05 - mean]);
    assert_eq!(
        (plain.metrics[0].masked, told.metrics[0].masked),
        (None, Some(2))
    );
    assert_eq!(plain.metrics[0].reward, told.metrics[0].reward);
}

/// A limit of 24 tokens and a cache of 12: none is lost at 12 tokens, 10 / 12 at 22.
#[test]
fn overlong_responses_lose_along_a_line() {
    let settings = [
        "reinforcement.max_new_tokens=24",
        "reinforcement.overlong={ cache = 12, weight = 0.5 }",
        "advantage.estimator=dr_grpo",
    ];
    let told = tell(&settings, &["q1", "q2"], one_hit);
    let [heat, casino, alien] = &told.groups[0].responses[..] else {
        panic!("{:?}", told.groups[0])
    };
    let total = |one: &rerec_trainer::ResponseRecord| one.reward.as_ref().unwrap().total;
    let expected = [1.06, 0.055 - 0.5 * 10.0 / 12.0, 0.05 - 0.5 / 12.0];
    let totals = [heat, casino, alien].map(total);
    assert_abs_diff_eq!(totals[..], expected[..], epsilon = 1e-12);
    assert_eq!(heat.reward.as_ref().unwrap().terms["overlong"], 0.0);
    let mean = expected.iter().sum::<f64>() / 3.0;
    assert_advantages(&told.updates[0][0], &expected.map(|reward| reward - mean));
}

/// 12 and 30 tokens of right responses: the mean is 21, and 2 of 3 are right.
fn long_and_short(_: &str, sample: usize) -> &'static str {
    [HEAT, "A film by Mann.\n\n\\boxed{Heat }", ALIEN][sample]
}

#[test]
fn long_right_responses_lose_by_the_success_of_their_group() {
    let settings = [
        "reinforcement.length={ weight = 0.3 }",
        "advantage.estimator=dr_grpo",
    ];
    let told = tell(&settings, &["q1", "q2"], long_and_short);
    let long = &told.groups[0].responses[1];
    assert_eq!(long.tokens, 30);
    let lost = 2.0 / 3.0 * (30.0 / 21.0 - 1.0);
    let reward = long.reward.as_ref().unwrap();
    assert_abs_diff_eq!(reward.terms["length"], -lost, epsilon = 1e-12);
    let rewards = [1.06, 1.06 - 0.3 * lost, 0.05];
    let mean = rewards.iter().sum::<f64>() / 3.0;
    assert_advantages(&told.updates[0][0], &rewards.map(|reward| reward - mean));
}
