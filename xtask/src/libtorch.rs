//! The libtorch that the project is built with.
//!
//! Plain cargo takes it from `.libtorch` (see `.cargo/config.toml`), unless the user has set `LIBTORCH`.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::bundle::Bundle;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::pins::{LIBTORCH_CPU, LIBTORCH_CUDA};
use crate::progress::say;
use crate::torch_version::TORCH_VERSION;
use crate::{disk, manifest, python};

const VERSION_HEADER: &str = "include/torch/headeronly/version.h";

/// What libtorch computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// Processors only: half a gigabyte.
    Cpu,
    /// NVIDIA GPUs too: 3.7 gigabytes.
    Cuda,
}

impl Device {
    /// What is installed for this device.
    fn bundle(self) -> Bundle {
        match self {
            Self::Cpu => LIBTORCH_CPU,
            Self::Cuda => LIBTORCH_CUDA,
        }
    }

    /// The library that needs all others to load.
    fn library(self) -> String {
        let name = match self {
            Self::Cpu => "torch_cpu",
            Self::Cuda => "torch_cuda",
        };
        format!("lib/{DLL_PREFIX}{name}{DLL_SUFFIX}")
    }
}

/// Sees to it that there is a libtorch for `device`, and returns its folder.
///
/// In this order: the user's own `LIBTORCH`; the `.libtorch` that is there already, which takes milliseconds;
/// the PyTorch that is installed for python3; the pinned wheels.
///
/// # Errors
/// No C++ compiler, an own `LIBTORCH` that does not fit, and all that can go wrong with a download.
pub fn set_up(environment: &Environment, device: Device) -> Result<PathBuf> {
    require_compiler(environment)?;
    if let Some(own) = &environment.libtorch {
        require_libtorch(own, device)?;
        return Ok(own.clone());
    }
    let folder = environment.libtorch_folder();
    if is_ready(&folder, device) {
        return Ok(folder);
    }
    if let Some(torch) = installed_torch(environment, device) {
        say(format_args!("Using the PyTorch in {}", torch.display()));
        link(&torch, &folder)?;
    } else {
        require_platform(environment)?;
        device.bundle().install(environment, &folder)?;
    }
    Ok(folder)
}

fn require_compiler(environment: &Environment) -> Result<()> {
    let words = environment.compiler.split_whitespace();
    match words
        .into_iter()
        .all(|word| word.starts_with('-') || environment.has_program(word))
    {
        true => Ok(()),
        false => Err(Error::NoCompiler {
            compiler: environment.compiler.clone(),
        }),
    }
}

/// The pinned wheels hold x86-64 Linux programs.
fn require_platform(environment: &Environment) -> Result<()> {
    let &Environment { arch, os, .. } = environment;
    match (arch, os) {
        ("x86_64", "linux") => Ok(()),
        _ => Err(Error::Platform { arch, os }),
    }
}

/// Whether `folder` is whole: by its manifest, or where it has none, as one that somebody else made.
fn is_ready(folder: &Path, device: Device) -> bool {
    match manifest::exists(folder) {
        true => [device, Device::Cuda]
            .iter()
            .any(|device| device.bundle().is_installed(folder)),
        false => require_libtorch(folder, device).is_ok(),
    }
}

/// Checks that `folder` holds the headers and libraries of the right version.
fn require_libtorch(folder: &Path, device: Device) -> Result<()> {
    for file in [
        VERSION_HEADER.to_owned(),
        Device::Cpu.library(),
        device.library(),
    ] {
        if !folder.join(&file).exists() {
            return Err(Error::LibtorchIncomplete {
                folder: folder.to_owned(),
                missing: file,
            });
        }
    }
    match version(folder)? {
        found if found == TORCH_VERSION => Ok(()),
        found => Err(Error::LibtorchVersion {
            folder: folder.to_owned(),
            found,
        }),
    }
}

/// `TORCH_VERSION` of the headers, which the bindings are compiled with.
fn version(folder: &Path) -> Result<String> {
    let path = folder.join(VERSION_HEADER);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let version = text
        .split_once("#define TORCH_VERSION ")
        .and_then(|(_, rest)| rest.split('"').nth(1));
    Ok(version.unwrap_or("of unknown version").to_owned())
}

fn installed_torch(environment: &Environment, device: Device) -> Option<PathBuf> {
    let folder = python::installed_torch(environment, &device.library())?;
    require_libtorch(&folder, device).is_ok().then_some(folder)
}

fn link(torch: &Path, folder: &Path) -> Result<()> {
    let partial = disk::beside(folder, "partial");
    disk::remove(&partial)?;
    symlink(torch, &partial).map_err(Error::io("create", &partial))?;
    disk::replace(&partial, folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Machine, write_libtorch};

    /// The first words of the failure, and that no `.libtorch` came of it.
    fn assert_fails(machine: &Machine, device: Device, words: &str) {
        let failure = set_up(&machine.environment, device)
            .unwrap_err()
            .to_string();
        assert!(failure.contains(words), "{failure}");
        assert!(!failure.contains('\n'), "{failure}");
        assert!(!machine.environment.libtorch_folder().exists());
    }

    #[test]
    fn what_is_there_already_is_used_without_python() -> Result<()> {
        let machine = Machine::new();
        let folder = machine.environment.libtorch_folder();
        write_libtorch(&folder, TORCH_VERSION);
        assert_eq!(set_up(&machine.environment, Device::Cpu)?, folder);
        assert!(matches!(
            set_up(&machine.environment, Device::Cuda),
            Err(Error::NoPython)
        ));
        Ok(())
    }

    #[test]
    fn an_own_libtorch_comes_first() -> Result<()> {
        let mut machine = Machine::new();
        let own = machine.path("own");
        write_libtorch(&own, TORCH_VERSION);
        machine.environment.libtorch = Some(own.clone());
        assert_eq!(set_up(&machine.environment, Device::Cpu)?, own);
        assert_fails(
            &machine,
            Device::Cuda,
            "own is no complete libtorch, it has no lib/libtorch_cuda.so",
        );
        write_libtorch(&own, "2.10.0");
        assert_fails(
            &machine,
            Device::Cpu,
            "own is libtorch 2.10.0, 2.11.0 is needed; point LIBTORCH to",
        );
        Ok(())
    }

    #[test]
    fn an_installed_torch_is_linked() -> Result<()> {
        let mut machine = Machine::new();
        let torch = machine.path("site-packages/torch");
        write_libtorch(&torch, TORCH_VERSION);
        machine.program(
            "python3",
            &format!("[ \"$1\" = -c ] && echo {}", torch.display()),
        );
        let folder = set_up(&machine.environment, Device::Cpu)?;
        assert_eq!(fs::read_link(&folder).unwrap(), torch);
        fs::remove_dir_all(&torch).unwrap();
        machine.environment.arch = "aarch64";
        assert_fails(&machine, Device::Cpu, "this is aarch64 linux");
        Ok(())
    }

    #[test]
    fn an_installed_torch_of_another_version_is_passed_over() {
        let mut machine = Machine::new();
        let torch = machine.path("site-packages/torch");
        write_libtorch(&torch, "2.10.0");
        machine.program("python3", &format!("echo {}", torch.display()));
        machine.environment.arch = "aarch64";
        assert_fails(&machine, Device::Cpu, "this is aarch64 linux");
    }

    #[test]
    fn other_machines_need_a_libtorch_of_their_own() -> Result<()> {
        let mut machine = Machine::new();
        (machine.environment.arch, machine.environment.os) = ("aarch64", "macos");
        assert_fails(
            &machine,
            Device::Cpu,
            "for x86-64 Linux only, this is aarch64 macos; install PyTorch 2.11.0",
        );
        let own = machine.path("own");
        write_libtorch(&own, TORCH_VERSION);
        machine.environment.libtorch = Some(own.clone());
        assert_eq!(set_up(&machine.environment, Device::Cpu)?, own);
        Ok(())
    }

    #[test]
    fn a_cpp_compiler_is_needed_before_anything_is_downloaded() -> Result<()> {
        let mut machine = Machine::new();
        write_libtorch(&machine.environment.libtorch_folder(), TORCH_VERSION);
        machine.environment.compiler = "c++ -m64".to_owned();
        set_up(&machine.environment, Device::Cpu)?;
        machine.environment.compiler = "no-such-c++".to_owned();
        let failure = set_up(&machine.environment, Device::Cpu)
            .unwrap_err()
            .to_string();
        assert!(
            failure.starts_with("no C++ compiler: `no-such-c++` is not on PATH; install one"),
            "{failure}"
        );
        Ok(())
    }
}
