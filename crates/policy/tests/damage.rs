//! Model folders with damaged files are refused, or loaded where the damage does not matter; nothing panics.
#![cfg(feature = "torch")]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails where an unwrap does; helpers here are part of tests"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::{prelude::*, sample::Index, test_runner::RngSeed};
use rerec_policy::{DecoderPolicy, DecoderPolicyConfig, Error, Learner, Result};

const FOLDERS: [&str; 4] = ["llama-tied", "llama3-sharded", "qwen2", "qwen3"];

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/checkpoints")
        .join(name)
}

fn load(folder: &Path) -> Result<DecoderPolicy> {
    DecoderPolicy::from_folder(folder, DecoderPolicyConfig::default())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn copy(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(folder) {
        fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    copy
}

/// Bytes put in place of others, and where the file is cut off.
#[derive(Debug, Clone)]
struct Damage {
    changes: Vec<(Index, u8)>,
    cut: Option<Index>,
}

fn damages() -> impl Strategy<Value = Damage> {
    let change = (any::<Index>(), any::<u8>());
    let changes = proptest::collection::vec(change, 1..4);
    (changes, proptest::option::weighted(0.25, any::<Index>()))
        .prop_map(|(changes, cut)| Damage { changes, cut })
}

impl Damage {
    /// Damages a file, mostly in the first `within` bytes. Returns whether it is another now.
    fn strike(&self, path: &Path, within: usize) -> bool {
        let before = fs::read(path).unwrap();
        let mut bytes = before.clone();
        for (at, byte) in &self.changes {
            let at = at.index(bytes.len().min(within));
            bytes[at] = *byte;
        }
        if let Some(cut) = self.cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(path, &bytes).unwrap();
        bytes != before
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        // The same damage on every machine.
        rng_seed: RngSeed::Fixed(20),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_damaged_file_never_panics(folder in 0..FOLDERS.len(), file: Index, within in prop_oneof![Just(40usize), Just(4000), Just(usize::MAX)], damage in damages()) {
        let copy = copy(&source(FOLDERS[folder]));
        let files = files(copy.path());
        let struck: &PathBuf = file.get(&files);
        damage.strike(struck, within);
        if let Ok(policy) = load(copy.path()) {
            policy.logits(&[1, 2, 3]).unwrap();
        }
    }

    #[test]
    fn what_was_saved_is_restored_as_it_was_or_refused(file: Index, damage in damages()) {
        let mut policy = load(&source("qwen3")).unwrap();
        policy.anchor().unwrap();
        let folder = tempfile::tempdir().unwrap();
        policy.save(folder.path()).unwrap();
        let files = files(folder.path());
        let struck: &PathBuf = file.get(&files);
        let changed = damage.strike(struck, usize::MAX);
        match policy.restore(folder.path()) {
            Ok(()) => prop_assert!(!changed || struck.ends_with("checksums.json")),
            Err(Error::File(rerec_files::Error::Checksum { path, .. })) => prop_assert!(path == *struck || struck.ends_with("checksums.json")),
            Err(_) => prop_assert!(struck.ends_with("checksums.json")),
        }
    }
}
