//! The page looks as it did: a sheet of its sections, light and dark, at a desk's width and a phone's, is compared with a kept one.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::browser::{dumped, found, headless};
use crate::{copy, page, runs};

const SECTIONS: [&str; 4] = ["overview", "curves", "rollouts", "comparison"];
/// A page and its width in pixels, for each column of the sheet.
const COLUMNS: [(&str, u32); 4] = [
    ("light", 1200),
    ("dark", 1200),
    ("light", 360),
    ("dark", 360),
];
const HEIGHT: u32 = 900;
/// How far a section may be from the kept picture, where 1 is as far as an empty page of its colour. Fonts and their sizes differ between
/// machines: other fonts came to 0.2 to 0.7, larger letters to 0.8. Pages without their text came to 1.0 and more, without styles to 1.6,
/// and in the colours of the other scheme to 20.
const FARTHEST: f64 = 0.9;
const KEPT: &[u8] = include_bytes!("sheet.jpg");

/// All sections in frames of their own.
fn sheet() -> String {
    let widths = COLUMNS.map(|(_, width)| format!("{width}px")).join(" ");
    let mut sheet = format!(
        "<!doctype html><body style=\"margin: 0; display: grid; grid-template-columns: {widths}\">"
    );
    for section in SECTIONS {
        for (scheme, width) in COLUMNS {
            sheet += &format!(
                "<iframe src=\"{scheme}.html#{section}\" style=\"border: 0; width: {width}px; height: {HEIGHT}px\"></iframe>"
            );
        }
    }
    sheet
}

fn photographed(browser: &Path, sheet: &Path, picture: &Path) {
    let width: u32 = COLUMNS.iter().map(|(_, width)| width).sum();
    let height = HEIGHT * SECTIONS.len() as u32;
    let profile = tempfile::tempdir().unwrap();
    let status = headless(browser, profile.path())
        .arg("--hide-scrollbars")
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", sheet.display()))
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

/// The page that compares two pictures: the browser reads them and makes them smaller.
fn comparing(seen: &[u8]) -> String {
    let settings = serde_json::json!({
        "kept": format!("data:image/jpeg;base64,{}", STANDARD.encode(KEPT)),
        "seen": format!("data:image/png;base64,{}", STANDARD.encode(seen)),
        "widths": COLUMNS.map(|(_, width)| width),
        "height": HEIGHT,
        "rows": SECTIONS.len(),
    });
    format!(
        "<!doctype html><body><script>const settings = {settings};\n{}</script>",
        include_str!("compare.js")
    )
}

#[test]
fn the_page_looks_as_it_did() {
    let Some(browser) = found(&["chromium", "chromium-browser", "google-chrome"]) else {
        eprintln!("no Chromium on the path: nothing was looked at");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // Not where the build lies: the page names its folders, and no picture shall.
    let copies = ["slow", "quick"].map(|name| folder.path().join(name));
    for (run, to) in runs().iter().zip(&copies) {
        copy(run, to);
    }
    let light = page(&copies);
    fs::write(folder.path().join("light.html"), &light).unwrap();
    let dark = light.replace("(prefers-color-scheme: dark)", "all");
    fs::write(folder.path().join("dark.html"), dark).unwrap();
    fs::write(folder.path().join("sheet.html"), sheet()).unwrap();
    // It stays, so that it can be looked at.
    let looks = Path::new(env!("CARGO_TARGET_TMPDIR")).join("looks");
    fs::create_dir_all(&looks).unwrap();
    let picture = looks.join("sheet.png");
    photographed(&browser, &folder.path().join("sheet.html"), &picture);
    let compare = folder.path().join("compare.html");
    fs::write(&compare, comparing(&fs::read(&picture).unwrap())).unwrap();
    let outcome = dumped(&browser, &compare, 800);
    let small = outcome["small"].as_str().expect("a picture");
    let small = STANDARD.decode(small.split_once(',').unwrap().1).unwrap();
    fs::write(looks.join("sheet.jpg"), small).unwrap();
    let distances = outcome["distances"].as_array().unwrap().iter();
    let distances: Vec<f64> = distances.map(|one| one.as_f64().unwrap()).collect();
    assert_eq!(distances.len(), SECTIONS.len() * COLUMNS.len());
    for (place, distance) in distances.iter().enumerate() {
        let (scheme, width) = COLUMNS[place % COLUMNS.len()];
        let section = SECTIONS[place / COLUMNS.len()];
        assert!(
            *distance < FARTHEST,
            "{section}, {scheme}, {width} pixels wide, looks otherwise than in tests/page/sheet.jpg: {distance:.2} of an empty \
             page's distance, at most {FARTHEST}. Look at {}; if it is as it shall be, the file beside it that ends in .jpg is the \
             new picture to keep.",
            picture.display()
        );
    }
}
