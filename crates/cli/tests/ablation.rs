//! `rerec ablation`: learning rates are chosen on seeds that are not reported, arms begin from one warm start, and what is finished is
//! not made again.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used)]

#[path = "shared/tiny.rs"]
mod tiny;

use std::fs;
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use rerec_trainer::{Evaluation, Phase, Run};
use tiny::tiny;

const EXPERIMENT: &str = r#"
name = "experiment"
config = "tiny.toml"
set = ["evaluation.untrained=false"]
references = ["plain"]
learning_rates = [1e-3, 2e-3]
reach = [1.0]

[[worlds]]
name = "small"
seeds = [5]
tuning_seeds = [8]
repeats = 2

[[arms]]
name = "plain"

[[arms]]
name = "supervised"
supervised_as_long_as = "plain"
"#;

fn ablation(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rerec"));
    command
        .args(["ablation", "experiment.toml"])
        .args(arguments);
    command.current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn last(run: &Path) -> Evaluation {
    let evaluations = Run::open(run).unwrap().evaluations().unwrap();
    let last = evaluations.into_iter().next_back().unwrap();
    assert_eq!(last.phase, Phase::Final);
    last
}

/// When the records of a run were last written.
fn written(run: &Path) -> SystemTime {
    let file = fs::metadata(run.join("evaluations.jsonl")).unwrap();
    file.modified().unwrap()
}

#[test]
fn an_experiment_goes_from_its_configuration_to_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("tiny.toml"), tiny(Path::new("runs"), "", 2)).unwrap();
    fs::write(folder.join("experiment.toml"), EXPERIMENT).unwrap();
    let made = ablation(folder, &["--jobs", "2"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let told: Vec<&str> = text(&made.stderr).lines().collect();
    let ends = told.iter().filter(|line| line.contains("% right"));
    let ends: Vec<&&str> = ends.collect();
    assert!(ends[0].ends_with("is not known yet"), "{told:#?}");
    assert!(ends[ends.len() - 1].ends_with("some 0 seconds left"));

    let runs = folder.join("runs/experiment");
    let mut names: Vec<String> = fs::read_dir(runs.join("small-5"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".log"))
        .collect();
    names.sort();
    // One warm start, and each arm twice under the rate that was better on the tuning seed, the first of equals.
    let rate = |arm: &str| {
        let share = |rate: &str| {
            let run = runs.join(format!("small-8/{arm}-{rate}-0"));
            last(&run).overall.share()
        };
        if share("0.002") > share("0.001") {
            "0.002"
        } else {
            "0.001"
        }
    };
    let (plain, supervised) = (rate("plain"), rate("supervised"));
    let expected = [
        format!("plain-{plain}-0"),
        format!("plain-{plain}-1"),
        format!("supervised-{supervised}-0"),
        format!("supervised-{supervised}-1"),
        "warm".to_owned(),
    ];
    assert_eq!(names, expected);

    let run = |name: &str| Run::open(runs.join("small-5").join(name)).unwrap();
    let [first, second, longer, _, warm] = expected.each_ref().map(|name| run(name));
    assert_eq!(first.config().warm_start.steps, 0);
    // What the warm start answers is known.
    let phases = first.evaluations().unwrap().into_iter().map(|e| e.phase);
    assert!(!phases.collect::<Vec<_>>().contains(&Phase::WarmStart));
    assert_eq!(
        first.config().reinforcement.learning_rate.to_string(),
        plain
    );
    assert_eq!(first.metrics().unwrap().len(), 2);
    // Repetitions sample other responses of the same queries.
    let responses = |run: &Run| {
        let groups = run.groups().unwrap();
        groups
            .flat_map(|group| group.unwrap().responses)
            .map(|one| one.text)
            .collect::<Vec<_>>()
    };
    assert_ne!(responses(&first), responses(&second));
    // As many supervised steps as take the time of the reinforced arm.
    let seconds: f64 = first.timings().unwrap().iter().map(|one| one.total).sum();
    let mut steps: Vec<f64> = warm
        .warm_start()
        .unwrap()
        .iter()
        .map(|one| one.seconds)
        .collect();
    steps.sort_by(f64::total_cmp);
    let median = steps[steps.len() / 2];
    let expected = (seconds / median).round().max(1.0) as u64;
    assert_eq!(longer.config().warm_start.steps, expected);
    assert!(longer.metrics().unwrap().is_empty());

    let table = text(&made.stdout);
    let share = |name: &str| 100.0 * last(&runs.join("small-5").join(name)).overall.share();
    let mean = (share(&names[0]) + share(&names[1])) / 2.0;
    let row = format!("| 5 | {:.1} | - | {mean:.1} | ", share("warm"));
    assert!(table.contains(&row), "{row} is not in\n{table}");
    assert!(table.contains("| area less plain | "), "{table}");
    assert!(
        table.contains("1 of 1 seeds are warmed up, each reinforced 2 times"),
        "{table}"
    );
    assert_eq!(fs::read_to_string(runs.join("ablation.md")).unwrap(), table);
    let outcomes = fs::read_to_string(runs.join("outcomes.jsonl")).unwrap();
    assert_eq!(outcomes.lines().count(), 4);

    // Again: nothing is left to do, and the tables are the same.
    let before = written(&runs.join("small-5/warm"));
    let again = ablation(folder, &[]);
    assert_eq!(text(&again.stdout), table);
    assert_eq!(written(&runs.join("small-5/warm")), before);
    assert_eq!(text(&ablation(folder, &["--table"]).stdout), table);

    // Of two worlds, the one that is asked for.
    let more = EXPERIMENT.replace(
        "[[worlds]]",
        "[[worlds]]\nname = \"large\"\nseeds = [6]\ntuning_seeds = [9]\n\n[[worlds]]",
    );
    fs::write(folder.join("experiment.toml"), more).unwrap();
    let small = ablation(folder, &["--world", "small", "--table"]);
    assert_eq!(text(&small.stdout), table);
    let all = ablation(folder, &["--table"]);
    assert!(text(&all.stdout).contains("## World large"));
}

/// A terminal gives Ctrl-C to all processes in its foreground, a run of an experiment too: it is to hear of it once.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_each_run_with_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("tiny.toml"), tiny(Path::new("runs"), "", 2)).unwrap();
    let long = EXPERIMENT.replace("set = [", "set = [\"warm_start.steps=1000000\", ");
    fs::write(folder.join("experiment.toml"), long).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("rerec"));
    command
        .args(["ablation", "experiment.toml", "--jobs", "1"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = command.spawn().unwrap();

    let warm = folder.join("runs/experiment/small-8/warm");
    let steps = || fs::metadata(warm.join("warm_start.jsonl")).map_or(0, |file| file.len());
    while steps() == 0 {
        assert!(child.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(20));
    }
    let group = format!("kill -INT -{}", child.id());
    let sent = Command::new("sh").args(["-c", &group]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let log = fs::read_to_string(warm.with_extension("log")).unwrap();
    assert!(log.contains("stopped with a checkpoint"), "{log}");
    let mut kept = fs::read_dir(&warm).unwrap();
    assert!(kept.any(|entry| entry.unwrap().path().join("state.json").is_file()));
}

#[test]
fn a_faulty_experiment_is_refused_before_any_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("tiny.toml"), tiny(Path::new("runs"), "", 2)).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(EXPERIMENT.contains(from));
        fs::write(folder.join("experiment.toml"), EXPERIMENT.replace(from, to)).unwrap();
        let output = ablation(folder, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(!folder.join("runs").exists());
        text(&output.stderr).to_owned()
    };
    let same = refused("tuning_seeds = [8]", "tuning_seeds = [5]");
    assert!(
        same.contains("worlds.small.seeds must be each once"),
        "{same}"
    );
    let none = refused("tuning_seeds = [8]", "");
    assert!(
        none.contains("worlds.small.tuning_seeds must be at least one"),
        "{none}"
    );
    let unknown = refused("references = [\"plain\"]", "references = [\"plan\"]");
    assert!(unknown.contains("arm must be one of"), "{unknown}");
    let setting = refused("evaluation.untrained=false", "evaluation.untraind=false");
    assert!(setting.contains("untraind"), "{setting}");
    let alike = refused("name = \"supervised\"", "name = \"plain\"");
    assert!(
        alike.contains("arms must be named differently, got plain"),
        "{alike}"
    );
    let missing = refused("seeds = [5]", "seeds = [5]\nconfig = \"none.toml\"");
    assert!(missing.contains("none.toml"), "{missing}");
    let path = refused("name = \"small\"", "name = \"../small\"");
    assert!(path.contains("worlds.name must be letters"), "{path}");
    let timed = refused(
        "supervised_as_long_as = \"plain\"",
        "supervised_as_long_as = \"supervised\"",
    );
    assert!(
        timed.contains("must be an arm that is reinforced"),
        "{timed}"
    );
    fs::write(folder.join("experiment.toml"), EXPERIMENT).unwrap();
    let elsewhere = ablation(folder, &["--world", "large"]);
    assert_eq!(elsewhere.status.code(), Some(2));
    let said = text(&elsewhere.stderr);
    assert!(
        said.contains(r#"world must be one of ["small"], got large"#),
        "{said}"
    );
}
