//! `cargo xtask gpu-check --bundle FOLDER`: what a machine with a GPU and PyTorch needs to check the kernels and to measure a step.

use std::fs;
use std::path::Path;

use crate::disk;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::libtorch::{self, Device};
use crate::program::{cargo, check};
use crate::progress::say;

/// Some machines take no more at once.
const LIMIT: u64 = 60 << 20;

/// The checker, without symbols. libtorch, CUDA and NVRTC are found where it runs.
const BUILD: [&str; 13] = [
    "rustc",
    "--release",
    "--package",
    "rerec-gpu-check",
    "--bin",
    "gpu-check",
    "--features",
    "cuda",
    "--target-dir",
    "target",
    "--",
    "-C",
    "strip=symbols",
];

const CHECKER: &str = "target/release/gpu-check";

const SOURCES: &str = "gpu-check";

/// What lies beside it, below [`SOURCES`] and in the bundle.
const FILES: [&str; 5] = [
    "run.py",
    "theirs.py",
    "shapes/smollm2-135m/config.json",
    "shapes/qwen2.5-3b/config.json",
    "shapes/tiny/config.json",
];

/// Builds the checker and packs it.
///
/// # Errors
/// Other words, a folder that is there already, a failed set-up or build, a bundle beyond its limit.
pub(crate) fn run(words: &[&str], environment: &Environment) -> Result<()> {
    let ["--bundle", folder] = words else {
        return Err(Error::Options {
            task: "gpu-check",
            given: words.join(" "),
            expected: "--bundle FOLDER",
        });
    };
    let folder = Path::new(folder);
    if folder.exists() {
        return Err(Error::Exists {
            path: folder.to_owned(),
        });
    }
    libtorch::set_up(environment, Device::Cpu)?;
    check(cargo(&BUILD, environment))?;
    let bytes = pack(folder, LIMIT, environment)?;
    say(format_args!(
        "{} holds {:.1} MiB; where there are a GPU and PyTorch: python3 run.py --output REPORT",
        folder.display(),
        bytes as f64 / f64::from(1 << 20)
    ));
    Ok(())
}

/// Copies everything, whole or not at all. Returns its bytes.
fn pack(folder: &Path, limit: u64, environment: &Environment) -> Result<u64> {
    let partial = disk::beside(folder, "partial");
    disk::remove(&partial)?;
    disk::create_folder(&partial)?;
    let root = &environment.root;
    let mut bytes = copy(&root.join(CHECKER), &partial.join("gpu-check"))?;
    for file in FILES {
        bytes += copy(&root.join(SOURCES).join(file), &partial.join(file))?;
    }
    if bytes > limit {
        disk::remove(&partial)?;
        return Err(Error::BundleSize { bytes, limit });
    }
    disk::replace(&partial, folder)?;
    Ok(bytes)
}

fn copy(from: &Path, to: &Path) -> Result<u64> {
    if let Some(folder) = to.parent() {
        disk::create_folder(folder)?;
    }
    // With its permissions: the checker stays a program.
    fs::copy(from, to).map_err(Error::io("copy", from))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::fake::{Machine, write_libtorch};

    /// A checkout whose cargo builds a checker of `bytes` bytes.
    fn machine(bytes: usize) -> Machine {
        let mut machine = Machine::new();
        let root = machine.environment.root.clone();
        write_libtorch(&machine.environment.libtorch_folder(), "2.11.0");
        for file in FILES {
            let path = root.join(SOURCES).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let build = format!(
            "mkdir -p target/release && head -c {bytes} /dev/zero > {CHECKER} && chmod +x {CHECKER} && echo \"$*\" > words"
        );
        machine.program("cargo", &build);
        machine.environment.cargo = machine.path("bin/cargo").into();
        machine
    }

    fn bundle(machine: &Machine) -> Result<()> {
        let folder = machine.path("bundle").display().to_string();
        run(&["--bundle", &folder], &machine.environment)
    }

    #[test]
    fn a_bundle_holds_a_checker_and_what_lies_beside_it() -> Result<()> {
        let machine = machine(1000);
        bundle(&machine)?;
        let folder = machine.path("bundle");
        for file in FILES {
            assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), file);
        }
        let checker = fs::metadata(folder.join("gpu-check")).unwrap();
        assert_eq!(checker.len(), 1000);
        assert_eq!(checker.permissions().mode() & 0o111, 0o111);
        assert!(!disk::beside(&folder, "partial").exists());
        let words = fs::read_to_string(machine.environment.root.join("words")).unwrap();
        let expected = "rustc --release --package rerec-gpu-check --bin gpu-check --features cuda ";
        assert!(words.starts_with(expected), "{words}");
        Ok(())
    }

    #[test]
    fn a_bundle_beyond_its_limit_is_not_made() {
        let machine = machine((60 << 20) + 1);
        let refused = bundle(&machine).unwrap_err().to_string();
        let expected =
            " bytes, 62914560 are allowed: something large has been added to its checker";
        assert!(refused.ends_with(expected), "{refused}");
        assert!(!machine.path("bundle").exists());
        assert!(!machine.path("bundle.partial").exists());
    }

    #[test]
    fn what_is_there_already_stays() {
        let machine = machine(1000);
        let folder = machine.path("bundle");
        fs::create_dir(&folder).unwrap();
        let refused = bundle(&machine).unwrap_err().to_string();
        let expected = "bundle is there already; remove it or name a folder that is not there";
        assert!(refused.ends_with(expected), "{refused}");
        assert!(!machine.environment.root.join("words").exists());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn every_file_is_in_the_checkout() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(SOURCES);
        for file in FILES {
            assert!(sources.join(file).is_file(), "{file}");
        }
    }

    #[test]
    fn other_words_are_refused() {
        let machine = Machine::new();
        for words in [
            &[][..],
            &["--bundle"],
            &["bundle", "x"],
            &["--bundle", "x", "y"],
        ] {
            let refused = run(words, &machine.environment).unwrap_err().to_string();
            let expected = format!("gpu-check takes --bundle FOLDER; got `{}`", words.join(" "));
            assert_eq!(refused, expected);
        }
    }
}
