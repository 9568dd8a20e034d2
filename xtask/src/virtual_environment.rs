//! Python environments of packages that are pinned by a file in the checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::disk;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::program::check;

/// Which packages, and where they go; both below the root of the checkout.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VirtualEnvironment {
    pub(crate) requirements: &'static str,
    pub(crate) folder: &'static str,
    /// Whether the file names every package, so that no others are looked up.
    pub(crate) whole: bool,
}

impl VirtualEnvironment {
    /// The interpreter of an environment that holds the pinned packages; made once for each list of pins.
    pub(crate) fn set_up(self, environment: &Environment) -> Result<PathBuf> {
        let requirements = environment.root.join(self.requirements);
        let pins = fs::read(&requirements).map_err(Error::io("read", &requirements))?;
        let folder = environment.root.join(self.folder);
        let python = folder.join("bin/python");
        let installed = folder.join("requirements.txt");
        if fs::read(&installed).is_ok_and(|installed| installed == pins) {
            return Ok(python);
        }
        disk::remove(&folder)?;
        let mut make = environment.command("python3");
        make.args(["-m", "venv"]).arg(&folder);
        check(make)?;
        let mut install = pip_install(&python, environment);
        install
            .arg("--requirement")
            .arg(&requirements)
            .args(self.whole.then_some("--no-deps"));
        check(install).map_err(|error| match error {
            Error::Command { .. } => Error::PythonPackages {
                requirements: self.requirements,
            },
            error => error,
        })?;
        // Last, so that an environment with this file is whole.
        fs::write(&installed, pins).map_err(Error::io("write", &installed))?;
        Ok(python)
    }
}

/// `pip install` of an interpreter's environment.
pub(crate) fn pip_install(python: &Path, environment: &Environment) -> Command {
    let mut install = environment.command(python);
    install.args(["-m", "pip", "install", "--disable-pip-version-check"]);
    install
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Machine;

    const PINNED: VirtualEnvironment = VirtualEnvironment {
        requirements: "benches/policy/requirements.txt",
        folder: ".bench-venv",
        whole: false,
    };

    /// A Python that makes environments whose own Python only keeps count.
    fn machine() -> Machine {
        let machine = Machine::new();
        let log = machine.path("log").display().to_string();
        machine.program("inner", &format!("echo \"$*\" >> {log}"));
        let inner = machine.path("bin/inner").display().to_string();
        machine.program(
            "python3",
            &format!("/bin/mkdir -p $3/bin && /bin/cp {inner} $3/bin/python"),
        );
        pin(&machine, "trl==1.0");
        machine
    }

    fn pin(machine: &Machine, pins: &str) {
        let path = machine.environment.root.join(PINNED.requirements);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, pins).unwrap();
    }

    fn installations(machine: &Machine) -> usize {
        fs::read_to_string(machine.path("log"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    #[test]
    fn packages_are_installed_once_for_each_list_of_pins() -> Result<()> {
        let machine = machine();
        let python = PINNED.set_up(&machine.environment)?;
        assert_eq!(
            python,
            machine.environment.root.join(".bench-venv/bin/python")
        );
        PINNED.set_up(&machine.environment)?;
        assert_eq!(installations(&machine), 1);
        pin(&machine, "trl==1.1");
        PINNED.set_up(&machine.environment)?;
        assert_eq!(installations(&machine), 2);
        Ok(())
    }

    #[test]
    fn a_failed_installation_is_tried_again() {
        let machine = machine();
        machine.program("inner", "exit 1");
        for _ in 0..2 {
            let error = PINNED.set_up(&machine.environment).unwrap_err().to_string();
            let expected = "the packages of benches/policy/requirements.txt could not be installed";
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
