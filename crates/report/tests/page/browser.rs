//! The page in a browser. Where there is none, as where there is no node, these tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{page, runs};

fn found(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path);
    let mut files = folders.flat_map(|folder| programs.iter().map(move |name| folder.join(name)));
    files.find(|file| file.is_file())
}

/// What a script saw that clicked through the page in a window of the given width.
fn driven(browser: &Path, page: &Path, width: u32) -> Value {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args(["--virtual-time-budget=60000", "--dump-dom"])
        .arg(format!("--window-size={width},1200"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let document = String::from_utf8(output.stdout).unwrap();
    let (_, behind) = document
        .split_once("<pre id=\"outcome\">")
        .expect("the script came to its end");
    let json = STANDARD.decode(behind.split('<').next().unwrap()).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn a_reader_clicks_through_the_page() {
    let Some(browser) = found(&["chromium", "chromium-browser", "google-chrome"]) else {
        eprintln!("no Chromium on the path: the page was not opened");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    let driver = concat!("<script>", include_str!("drive.js"), "</script></body>");
    std::fs::write(&path, page(runs()).replace("</body>", driver)).unwrap();
    for width in [1400, 500] {
        let saw = driven(&browser, &path, width);
        assert_eq!(saw["errors"], serde_json::json!([]), "{saw:#}");
        assert_eq!(saw["runs"], serde_json::json!(["slow", "quick"]));
        assert_eq!(
            (&saw["images"], &saw["title"]),
            (&0.into(), &"ReRec: slow, quick".into())
        );
        // Five classes and all.
        assert_eq!(saw["accuracyRows"], 6);
        // A line of all for each run, and six that are shown on request.
        assert_eq!(
            (&saw["lines"], &saw["hiddenLines"], &saw["linesAfterClick"]),
            (&2.into(), &12.into(), &3.into())
        );
        assert_eq!(
            (&saw["values"], &saw["valuesOfRange"]),
            (&"step 0".into(), &"step 10".into())
        );
        assert_eq!((&saw["smoothed"], &saw["groups"]), (&2.into(), &96.into()));
        for seen in [
            "steps",
            "penalties",
            "tokens",
            "charts",
            "ofClass",
            "shownFirst",
        ] {
            assert!(saw[seen].as_u64().unwrap() > 0, "{seen}: {saw:#}");
        }
        for holds in ["follows", "markup", "markupInTokens", "compared"] {
            assert_eq!(saw[holds], true, "{holds}: {saw:#}");
        }
        let overflows = saw.as_object().unwrap().iter();
        for (place, pixels) in overflows.filter(|(name, _)| name.starts_with("overflow")) {
            assert_eq!(pixels, 0, "{place} at a width of {width}: {saw:#}");
        }
    }
}

#[test]
fn scripts_are_well_formed() {
    let Some(node) = found(&["node"]) else {
        eprintln!("no node on the path: the scripts were not checked");
        return;
    };
    for entry in std::fs::read_dir("assets").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "js") {
            let checked = Command::new(&node)
                .arg("--check")
                .arg(&path)
                .status()
                .unwrap();
            assert!(checked.success(), "{}", path.display());
        }
    }
}
