//! The page in a browser. Where there is none, these tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::{page, runs};

pub(crate) fn found(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path);
    let mut files = folders.flat_map(|folder| programs.iter().map(move |name| folder.join(name)));
    files.find(|file| file.is_file())
}

/// Chromium without a window and without a network, that lets time pass as fast as it can.
pub(crate) fn headless(browser: &Path, profile: &Path) -> Command {
    let mut command = Command::new(browser);
    command
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
        .arg("--virtual-time-budget=60000")
        .arg(format!("--user-data-dir={}", profile.display()));
    command
}

/// What a page leaves in its element `outcome`: JSON in base64.
pub(crate) fn dumped(browser: &Path, page: &Path, width: u32) -> Value {
    let profile = tempfile::tempdir().unwrap();
    let output = headless(browser, profile.path())
        .arg("--dump-dom")
        .arg(format!("--window-size={width},1200"))
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

/// A page that shows `page.html` in a frame, since no window is as narrow as a phone, and leaves what its script says.
fn framed(width: u32) -> String {
    format!(
        "<!doctype html><body style=\"margin: 0\"><script>\
         addEventListener('message', ({{ data }}) => {{\
           document.body.append(Object.assign(document.createElement('pre'), {{ id: 'outcome', textContent: data }}));\
         }});</script>\
         <iframe src=\"page.html\" style=\"border: 0; width: {width}px; height: 1200px\"></iframe>"
    )
}

#[test]
fn a_reader_clicks_through_the_page() {
    let Some(browser) = found(&["chromium", "chromium-browser", "google-chrome"]) else {
        eprintln!("no Chromium on the path: the page was not opened");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let driver = concat!("<script>", include_str!("drive.js"), "</script></body>");
    let page = page(runs()).replace("</body>", driver);
    std::fs::write(folder.path().join("page.html"), page).unwrap();
    for width in [1400, 390] {
        let frame = folder.path().join("frame.html");
        std::fs::write(&frame, framed(width)).unwrap();
        let saw = dumped(&browser, &frame, 1400);
        assert_eq!(saw["width"], width);
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
        // A circle and a square: runs are told apart without colours.
        assert_eq!(saw["marks"], 2);
        let saved = ["<svg xmlns", "step,slow,", "<svg xmlns", "class,epoc"];
        assert_eq!(saw["saved"], serde_json::json!(saved));
        let printed = ["overview", "curves", "comparison"];
        assert_eq!(saw["printed"], serde_json::json!(printed));
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
