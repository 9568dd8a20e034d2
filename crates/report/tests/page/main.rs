//! The page of whole runs: what it holds, and what it does with hostile, cut and foreign data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails where an unwrap does and says what it leaves out; helpers here are part of tests"
)]

mod browser;
mod pictures;
mod script;
mod scripted;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rerec_report::{write_charts, write_page};
use serde_json::Value;

use crate::scripted::HOSTILE;

/// Two runs that all tests read, in a folder that stays, so that their page can be looked at:
/// `target/tmp/report/page.html`.
fn runs() -> &'static [PathBuf; 2] {
    static RUNS: OnceLock<[PathBuf; 2]> = OnceLock::new();
    RUNS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        [("slow", 0.1), ("quick", 0.4)].map(|(name, talent)| scripted::run(&folder, name, talent))
    })
}

fn page(runs: &[impl AsRef<Path>]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    write_page(runs, &path).unwrap();
    std::fs::read_to_string(path).unwrap()
}

/// The data in the element `id` of a page.
fn data(page: &str, id: &str) -> Value {
    let begin = format!("id=\"{id}\">");
    let (_, behind) = page.split_once(&begin).unwrap_or_else(|| panic!("no {id}"));
    let packed = STANDARD.decode(behind.split('<').next().unwrap()).unwrap();
    serde_json::from_reader(flate2::read::ZlibDecoder::new(&packed[..])).unwrap()
}

#[test]
fn a_page_holds_what_its_run_recorded() {
    let page = page(&runs()[..1]);
    let head = data(&page, "head");
    let run = &head["runs"][0];
    assert_eq!(run["name"], "slow");
    assert_eq!(run["glance"]["notes"], serde_json::json!([]));
    assert_eq!(
        run["glance"]["table"]["columns"],
        serde_json::json!([
            "popularity",
            "BM25",
            "attribute overlap",
            "untrained",
            "warm start",
            "reinforced"
        ])
    );
    let index = data(&page, "index-0");
    let (groups, responses) = (
        index["groups"]["step"].as_array().unwrap(),
        index["responses"]["outcome"].as_array().unwrap(),
    );
    assert_eq!(responses.len(), 6 * groups.len());
    assert_eq!(run["rollouts"]["responses"], responses.len());
    // The last group is where the index says, and its query's words are in the page.
    let last = groups.len() - 1;
    let block = data(
        &page,
        &format!("block-0-{}", index["groups"]["block"][last]),
    );
    let record = block.as_array().unwrap().last().unwrap();
    let query = &index["queries"][index["groups"]["query"][last].as_u64().unwrap() as usize];
    assert_eq!((&record["query"], &record["step"]), (query, &groups[last]));
    let queries = data(&page, "queries-0");
    assert!(
        queries
            .as_array()
            .unwrap()
            .iter()
            .any(|known| known["query"] == *query)
    );
}

#[test]
fn runs_are_compared_query_for_query() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    write_page(runs(), &folder.join("page.html")).unwrap();
    let page = std::fs::read_to_string(folder.join("page.html")).unwrap();
    let comparison = &data(&page, "head")["comparisons"][0];
    assert_eq!(
        (&comparison["first"], &comparison["second"]),
        (&"slow".into(), &"quick".into())
    );
    let all = comparison["rows"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&all["class"], &all["queries"]),
        (&"all".into(), &40.into())
    );
}

/// The only markup of a page is its own, whatever a model wrote or a folder is called.
#[test]
fn text_of_a_run_is_never_markup() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("<b>&amp;");
    copy(&runs()[0], &run);
    let page = page(&[run]);
    let blocks = data(&page, "head")["runs"][0]["rollouts"]["blocks"]
        .as_u64()
        .unwrap();
    let texts: String = (0..blocks)
        .map(|block| data(&page, &format!("block-0-{block}")).to_string())
        .collect();
    let hostile = serde_json::to_string(HOSTILE).unwrap();
    assert!(
        texts.contains(hostile.trim_matches('"')),
        "no hostile response was written"
    );
    assert!(
        !page.contains("document.title") && !page.contains('\u{202e}') && !page.contains("<b>")
    );
    // head, index, queries, the blocks, and the script of the page itself.
    assert_eq!(page.matches("<script").count() as u64, 4 + blocks);
    assert_eq!(page.matches("</script").count() as u64, 4 + blocks);
    assert!(page.contains("<title>ReRec: &lt;b&gt;&amp;amp;</title>"));
}

#[test]
fn nothing_is_fetched() {
    let page = page(&runs()[..1]);
    assert!(page.contains("default-src 'none'"));
    for loading in ["http://", "https://", "src=", "@import", "fetch("] {
        // The name of SVG's elements is no address.
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(loading), "{loading}");
    }
}

/// A run that goes on may be in the middle of a line, and even of a character.
#[test]
fn a_half_written_line_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("under-way");
    copy(&runs()[0], &run);
    let whole = page(&[&run]);
    for name in [
        "rollouts.jsonl",
        "metrics.jsonl",
        "queries.jsonl",
        "evaluations.jsonl",
        "epochs.jsonl",
    ] {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(run.join(name))
            .unwrap();
        file.write_all(b"{\"step\": 99, \"text\": \"\xe2\x80")
            .unwrap();
    }
    assert_eq!(page(&[&run]), whole);
}

#[test]
fn a_damaged_folder_is_shown_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("damaged");
    copy(&runs()[0], &run);
    std::fs::write(run.join("config.toml"), "name = 3").unwrap();
    std::fs::remove_file(run.join("epochs.jsonl")).unwrap();
    let rollouts = std::fs::read_to_string(run.join("rollouts.jsonl")).unwrap();
    std::fs::write(run.join("rollouts.jsonl"), format!("{{}}\n{rollouts}")).unwrap();
    let page = page(&[&run]);
    let shown = &data(&page, "head")["runs"][0];
    let notes = shown["glance"]["notes"].to_string();
    for fault in ["config.toml", "epochs.jsonl", "rollouts.jsonl: line 1"] {
        assert!(notes.contains(fault), "{fault}: {notes}");
    }
    assert_eq!(shown["rollouts"]["groups"], rollouts.lines().count());
    let empty = tempfile::tempdir().unwrap();
    let error = write_page(&[empty.path()], &run.join("page.html")).unwrap_err();
    assert!(
        error.to_string().contains("holds no records of a run"),
        "{error}"
    );
}

#[test]
fn every_chart_is_a_picture_and_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let written = write_charts(&runs()[..1], folder.path()).unwrap();
    let head = data(&page(&runs()[..1]), "head");
    for chart in head["runs"][0]["charts"].as_array().unwrap() {
        for kind in ["svg", "csv"] {
            let path = folder
                .path()
                .join(format!("{}.{kind}", chart["id"].as_str().unwrap()));
            assert!(written.contains(&path), "{}", path.display());
        }
    }
    let accuracy = std::fs::read_to_string(folder.path().join("validation-accuracy.csv")).unwrap();
    assert!(accuracy.starts_with("step,all,explicit"), "{accuracy}");
    let both = tempfile::tempdir().unwrap();
    write_charts(runs(), both.path()).unwrap();
    assert!(both.path().join("quick/reward.svg").is_file());
    let reward = std::fs::read_to_string(both.path().join("reward.csv")).unwrap();
    assert!(reward.starts_with("step,slow: reward,quick: reward\n"));
    let accuracy = std::fs::read_to_string(both.path().join("validation-accuracy.csv")).unwrap();
    assert!(accuracy.starts_with("step,slow: all,quick: all\n"));
}

/// The files of a run, without its checkpoints.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}
