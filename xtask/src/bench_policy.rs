//! `cargo xtask bench-policy`: rerec-policy beside transformers and TRL, in turn on one machine.
//!
//! Every measurement is a process of its own that adds one line of JSON to a file of `target/bench-policy`.

mod options;
mod plan;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::disk;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::libtorch::{self, Device};
use crate::pins::SMOLLM2;
use crate::program::{cargo, check};
use crate::virtual_environment::VirtualEnvironment;
use options::Options;
use plan::{Case, Kind, Plan};

/// The other side.
const PYTHON: VirtualEnvironment = VirtualEnvironment {
    requirements: "benches/policy/requirements.txt",
    folder: ".bench-venv",
    whole: false,
};

/// The file of [`SMOLLM2`].
const GGUF: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// The same for every process: two threads that sleep while they wait, nothing fetched.
const SURROUNDINGS: [(&str, &str); 4] = [
    ("OMP_NUM_THREADS", "2"),
    ("OMP_WAIT_POLICY", "passive"),
    ("HF_HUB_OFFLINE", "1"),
    ("TOKENIZERS_PARALLELISM", "false"),
];

/// Measures, then writes and prints the report.
///
/// # Errors
/// Words that are no option, a failed set-up, a measurement that failed.
pub(crate) fn run(words: &[&str], environment: &Environment) -> Result<()> {
    let options = Options::parse(words)?;
    libtorch::set_up(environment, Device::Cpu)?;
    let smollm2 = environment.root.join("data/smollm2");
    if !SMOLLM2.is_installed(&smollm2) {
        SMOLLM2.install(environment, &smollm2)?;
    }
    let needs_python = options.kinds.iter().any(|kind| kind.has_another_side());
    let python = match &options.python {
        Some(path) => path.clone(),
        None if needs_python => PYTHON.set_up(environment)?,
        None => PathBuf::new(),
    };
    Bench::new(environment, &options, python).run(&options)
}

/// Where things are.
struct Bench<'a> {
    environment: &'a Environment,
    python: PathBuf,
    plan: Plan,
    smollm2: PathBuf,
    /// Where measurements and report go.
    output: PathBuf,
}

impl<'a> Bench<'a> {
    fn new(environment: &'a Environment, options: &Options, python: PathBuf) -> Self {
        let root = &environment.root;
        let name = if options.quick {
            "bench-policy-quick"
        } else {
            "bench-policy"
        };
        Self {
            environment,
            python,
            plan: Plan {
                quick: options.quick,
            },
            smollm2: root.join("data/smollm2"),
            output: root.join("target").join(name),
        }
    }

    fn run(&self, options: &Options) -> Result<()> {
        disk::create_folder(&self.output)?;
        self.prepare()?;
        for &kind in &options.kinds {
            self.measure(kind, options.rounds)?;
        }
        check(self.ours(&["report", &text(&self.output)]))
    }

    fn model(&self) -> PathBuf {
        self.smollm2.join("hf")
    }

    fn prompts(&self) -> PathBuf {
        self.output.join("prompts.json")
    }

    /// Makes what both sides read: the model as a Hugging Face folder, and the prompts.
    fn prepare(&self) -> Result<()> {
        let model = self.model();
        if !model.exists() {
            let partial = disk::beside(&model, "partial");
            disk::remove(&partial)?;
            let gguf = self.smollm2.join(GGUF);
            check(self.ours(&["convert", &text(&gguf), &text(&partial)]))?;
            disk::replace(&partial, &model)?;
        }
        let words = [
            "prompts",
            "--model",
            &text(&model),
            "--output",
            &text(&self.prompts()),
        ];
        let words: Vec<&str> = words.into_iter().chain(self.plan.prompt_words()).collect();
        check(self.ours(&words))
    }

    /// Replaces the measurements of one kind.
    fn measure(&self, kind: Kind, rounds: usize) -> Result<()> {
        let path = self.output.join(kind.name()).with_extension("jsonl");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let add = |mut command: Command| {
            command.stdout(file.try_clone().map_err(Error::io("write", &path))?);
            check(command)
        };
        if kind == Kind::Cost {
            return self.costs().into_iter().try_for_each(add);
        }
        for round in 1..=rounds {
            for case in self.plan.cases(kind) {
                let words = self.words(&case, round);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                add(self.ours(&[&[case.command], &words[..]].concat()))?;
                add(self.theirs(case.command, &words))?;
            }
        }
        Ok(())
    }

    /// What both sides are told.
    fn words(&self, case: &Case, round: usize) -> Vec<String> {
        let mut words = case.words.clone();
        for (name, value) in [
            ("--round", round.to_string()),
            ("--model", text(&self.model())),
            ("--prompts", text(&self.prompts())),
        ] {
            words.extend([name.to_owned(), value]);
        }
        words
    }

    fn costs(&self) -> [Command; 2] {
        let command = |precision| {
            let model = text(&self.model());
            let words = ["cost", "--precision", precision, "--model", &model];
            let quick = self.plan.quick.then_some("--quick");
            self.ours(&words.into_iter().chain(quick).collect::<Vec<_>>())
        };
        plan::PRECISIONS.map(command)
    }

    fn ours(&self, words: &[&str]) -> Command {
        let run = [
            "run",
            "--quiet",
            "--release",
            "--package",
            "rerec-benches",
            "--bin",
            "bench-policy",
            "--",
        ];
        let mut command = cargo(&[&run, words].concat(), self.environment);
        command.envs(SURROUNDINGS);
        command
    }

    fn theirs(&self, script: &str, words: &[&str]) -> Command {
        let script = Path::new("benches/policy")
            .join(script)
            .with_extension("py");
        let mut command = Command::new(&self.python);
        command
            .arg(script)
            .args(words)
            .current_dir(&self.environment.root)
            .envs(SURROUNDINGS);
        command
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fake::Machine;

    /// A machine whose cargo and Python tell what they are asked for, in a log and on their output.
    fn machine() -> Machine {
        let mut machine = Machine::new();
        let log = machine.path("log").display().to_string();
        // Behind `cargo run … --` come the words of our side.
        let cargo = format!(
            "shift 8\n[ \"$1\" != convert ] || mkdir \"$3\"\necho \"ours $*\" | tee -a {log}"
        );
        machine.program("cargo", &cargo);
        machine.program("python", &format!("echo \"theirs $*\" | tee -a {log}"));
        machine.environment.cargo = machine.path("bin/cargo").into();
        fs::create_dir_all(machine.environment.root.join("data/smollm2")).unwrap();
        machine
    }

    /// What ran, each line cut behind the words that matter.
    fn run_quick(machine: &Machine, kind: Kind, rounds: usize) -> Vec<String> {
        let options = Options {
            kinds: vec![kind],
            rounds,
            quick: true,
            python: None,
        };
        let python = machine.path("bin/python");
        Bench::new(&machine.environment, &options, python)
            .run(&options)
            .unwrap();
        let log = fs::read_to_string(machine.path("log")).unwrap();
        fs::remove_file(machine.path("log")).unwrap();
        let start = |line: &str| {
            line.split(" --groups")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        log.lines().map(start).collect()
    }

    #[test]
    fn both_sides_are_measured_in_turn_and_reported() {
        let machine = machine();
        let ran = run_quick(&machine, Kind::Lora, 2);
        let name = |precision| {
            format!("--case GRPO step with LoRA, {precision}, 2 x 8 --precision {precision}")
        };
        let [f32, bf16] = [name("f32"), name("bf16")];
        let round = [
            format!("ours step {f32}"),
            format!("theirs benches/policy/step.py {f32}"),
            format!("ours step {bf16}"),
            format!("theirs benches/policy/step.py {bf16}"),
        ];
        assert!(ran[0].starts_with("ours convert "), "{}", ran[0]);
        assert!(ran[1].starts_with("ours prompts --model "), "{}", ran[1]);
        assert_eq!(ran[2..6], round);
        assert_eq!(ran[6..10], round);
        assert!(ran[10].starts_with("ours report "), "{}", ran[10]);
        assert_eq!(ran.len(), 11);
    }

    #[test]
    fn a_second_run_converts_nothing_and_replaces_the_measurements() {
        let machine = machine();
        let output = machine.environment.root.join("target/bench-policy-quick");
        for _ in 0..2 {
            run_quick(&machine, Kind::Step, 1);
            let lines = fs::read_to_string(output.join("step.jsonl")).unwrap();
            assert_eq!(lines.lines().count(), 4, "{lines}");
        }
        let ran = run_quick(&machine, Kind::Cost, 1);
        assert!(ran[0].starts_with("ours prompts "), "{}", ran[0]);
        assert!(
            ran[1].starts_with("ours cost --precision f32 "),
            "{}",
            ran[1]
        );
        assert!(ran[1].ends_with(" --quick"), "{}", ran[1]);
    }

    #[test]
    fn a_measurement_that_fails_ends_the_run() {
        let machine = machine();
        machine.program("python", "exit 1");
        let options = Options::parse(&["--quick", "--only", "step"]).unwrap();
        let python = machine.path("bin/python");
        let bench = Bench::new(&machine.environment, &options, python);
        let error = bench.run(&options).unwrap_err().to_string();
        assert!(
            error.starts_with("`python benches/policy/step.py --case "),
            "{error}"
        );
    }
}
