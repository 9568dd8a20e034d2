//! A small machine for tests: a checkout, a cache, programs and wheels of its own, no network.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::cache::hexadecimal;
use crate::environment::Environment;
use crate::wheel::Wheel;

pub(crate) struct Machine {
    folder: TempDir,
    pub(crate) environment: Environment,
}

impl Machine {
    /// An x86-64 Linux with a C++ compiler and without Python.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for name in ["bin", "root", "index"] {
            fs::create_dir(place(name)).unwrap();
        }
        let environment = Environment {
            root: place("root"),
            cache: place("cache"),
            path: place("bin").into(),
            libtorch: None,
            compiler: "c++".to_owned(),
            cargo: "cargo".into(),
            arch: "x86_64",
            os: "linux",
        };
        let machine = Self {
            folder,
            environment,
        };
        machine.program("c++", "exit 0");
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Installs a shell script on `PATH`. Another process writes it: a program that this one has open for writing
    /// in any thread cannot be started.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let text = self.path("script");
        fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mut install = Command::new("install");
        install
            .arg("-m755")
            .arg(&text)
            .arg(self.path("bin").join(name));
        assert!(install.status().unwrap().success());
    }

    /// Installs a Python whose pip finds the wheels offered so far, and counts its downloads.
    pub(crate) fn python_with_index(&self) {
        let place = self.folder.path().display();
        let script = format!(
            "[ \"$1\" = -m ] || exit 1\necho >> {place}/downloads\nexec /bin/cp {place}/index/* ."
        );
        self.program("python3", &script);
    }

    pub(crate) fn downloads(&self) -> usize {
        let log = fs::read_to_string(self.path("downloads")).unwrap_or_default();
        log.lines().count()
    }

    /// Puts a wheel of these files on the index.
    pub(crate) fn offer(&self, file: &'static str, contents: &[(&str, &str)]) -> Wheel {
        let path = self.path("index").join(file);
        let mut archive = ZipWriter::new(File::create(&path).unwrap());
        for (name, text) in contents {
            archive
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
        let bytes = fs::read(path).unwrap();
        Wheel {
            file,
            sha256: hexadecimal(&Sha256::digest(&bytes)).leak(),
            bytes: bytes.len() as u64,
            take: &["torch/"],
            unpacked: contents.iter().map(|(_, text)| text.len() as u64).sum(),
        }
    }
}

/// Writes what counts as a libtorch of this version.
pub(crate) fn write_libtorch(folder: &Path, version: &str) {
    let header = folder.join("include/torch/headeronly");
    fs::create_dir_all(&header).unwrap();
    fs::write(
        header.join("version.h"),
        format!("#define TORCH_VERSION \\\n  \"{version}\"\n"),
    )
    .unwrap();
    fs::create_dir_all(folder.join("lib")).unwrap();
    for library in ["libtorch_cpu.so", "libc10.so"] {
        fs::write(folder.join("lib").join(library), "").unwrap();
    }
}
