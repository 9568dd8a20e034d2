//! The page's script is committed as npm builds it, so that nothing but these tests looks at its sources.

use std::fs;
use std::path::Path;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::browser::found;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
const SCRIPT: &str = include_str!("../../assets/page.js");

/// The hash that `page/build.js` writes into the first line of the script: over its sources by their names, and what follows that line.
fn hash(sources: &Path, script: &str) -> String {
    let files = fs::read_dir(sources).unwrap().map(|file| file.unwrap());
    let mut files: Vec<_> = files
        .map(|file| (file.file_name().into_string().unwrap(), file.path()))
        .filter(|(name, _)| {
            [".ts", ".js", ".json"]
                .iter()
                .any(|end| name.ends_with(end))
        })
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    for (name, path) in files {
        hash.update(name + "\0");
        hash.update(fs::read(path).unwrap());
        hash.update("\0");
    }
    hash.update(script);
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_script_is_built_from_its_sources() {
    let sources = Path::new(SOURCES);
    if !sources.is_dir() {
        eprintln!(
            "no folder page: a package holds the built script alone, and nothing was compared"
        );
        return;
    }
    let (head, script) = SCRIPT.split_once('\n').unwrap();
    let said = head.rsplit(' ').next().unwrap();
    assert_eq!(
        said,
        hash(sources, script),
        "assets/page.js is not what page/ makes; in crates/report/page: npm ci && npm run build"
    );
}

#[test]
fn npm_builds_the_same_script() {
    let tools = Path::new(SOURCES).join("node_modules");
    let (true, Some(npm)) = (tools.is_dir(), found(&["npm"])) else {
        eprintln!("no npm, or no page/node_modules: the script was not built anew");
        return;
    };
    let mut check = Command::new(npm);
    let checked = check
        .args(["run", "--silent", "check"])
        .current_dir(SOURCES);
    assert!(checked.status().unwrap().success());
}
