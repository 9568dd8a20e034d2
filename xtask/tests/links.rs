//! What the documents link to is there.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Where documents are.
const FOLDERS: [&str; 5] = ["docs", "crates", "bindings", "examples", "benches"];

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The targets of links, outside of blocks of code.
fn links(text: &str) -> Vec<&str> {
    let outside = text.split("```").step_by(2);
    let after = outside.flat_map(|part| part.split("](").skip(1));
    after
        .filter_map(|rest| Some(rest.split_once(')')?.0))
        .collect()
}

/// The name under which a heading is linked to.
fn anchor(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let kept = title.chars().filter(kept);
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn what_is_linked_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = vec![root.join("README.md")];
    for folder in FOLDERS {
        documents(&root.join(folder), &mut files);
    }
    let (mut checked, mut broken) = (0, Vec::new());
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        for link in links(&text).into_iter().filter(|l| !l.contains("://")) {
            let (path, name) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.clone(),
                path => file.parent().unwrap().join(path),
            };
            let headings = || {
                let text = fs::read_to_string(&target).unwrap_or_default();
                let mut lines = text.lines().filter(|line| line.starts_with('#'));
                lines.any(|line| anchor(line) == name)
            };
            if !target.exists() || !name.is_empty() && !headings() {
                broken.push(format!("{} links to {link}", file.display()));
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} links");
    assert!(broken.is_empty(), "{broken:#?}");
}
