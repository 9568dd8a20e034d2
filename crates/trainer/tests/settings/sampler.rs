//! A sampler that is not the learner.

use super::*;

/// Each token is twice as likely under the learner as under the sampler.
#[test]
fn a_sampler_that_is_not_the_learner_is_made_up_for() {
    let data = dataset(&["q1", "q2"]);
    let learn = |correction: Option<&str>| {
        let runs = tempfile::tempdir().unwrap();
        let setting = correction.map(|given| format!("reinforcement.sampler_correction={given}"));
        let settings = setting.iter().map(String::as_str);
        let settings: Vec<&str> = settings.chain(["advantage.estimator=grpo"]).collect();
        let config = config(runs.path(), &settings).unwrap();
        let mut sampler = policy(one_hit).with_log_prob(-1.0 - 2f32.ln());
        let mut learner = policy(one_hit);
        let task = Task {
            dataset: &data,
            assessor: &assessor(&config, &data).unwrap(),
            engine: Engine::Two {
                sampler: &mut sampler,
                learner: &mut learner,
            },
        };
        let trainer = Trainer::new(&config, task).unwrap();
        trainer.run(&mut Silent).unwrap();
        let update = updates(&learner).remove(0);
        for response in update.iter().flat_map(|group| &group.responses) {
            assert!(response.old_log_probs.iter().all(|&p| p == -1.0));
        }
        let metrics = Run::open(config.run_folder()).unwrap().metrics().unwrap();
        (update, metrics[0].sampler)
    };
    let (plain, unsaid) = learn(None);
    assert_eq!(unsaid, None);
    for (correction, weight, masked) in [
        ("{ kind = \"token_truncated\", most = 1.5 }", 1.5, 0),
        (
            "{ kind = \"geometric_masked\", least = 0.9, most = 2.1 }",
            1.0,
            0,
        ),
        (
            "{ kind = \"geometric_masked\", least = 0.99, most = 1.01 }",
            0.0,
            6,
        ),
        ("{ kind = \"sequence_masked\", most = 3.0 }", 0.0, 6),
    ] {
        let (update, said) = learn(Some(correction));
        for (plain, got) in plain.iter().zip(&update) {
            let expected = plain.responses.iter().map(|one| weight * one.advantages[0]);
            assert_advantages(got, &expected.collect::<Vec<_>>());
        }
        let said = said.unwrap();
        assert_abs_diff_eq!(said.mean_gap, 2f64.ln(), epsilon = 1e-6);
        assert_eq!(said.masked, masked, "{correction}");
    }
}

#[test]
fn a_sampler_that_is_the_learner_needs_no_correction() {
    let runs = tempfile::tempdir().unwrap();
    let correction = "reinforcement.sampler_correction={ kind = \"token_truncated\", most = 2.0 }";
    let config = config(runs.path(), &[correction]).unwrap();
    let data = dataset(&["q1", "q2"]);
    let refused = run(&config, &data, &mut policy(one_hit), false, &mut Silent).unwrap_err();
    assert!(
        refused.to_string().contains("here they are one"),
        "{refused}"
    );
    assert!(!config.run_folder().exists());
}
