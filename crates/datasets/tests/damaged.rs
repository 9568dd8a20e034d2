//! Damaged and contradictory files, each with its message: file, line or row, column, what was found, what would do.
#![allow(clippy::unwrap_used)]

use std::error::Error as _;
use std::fmt::Write;
use std::fs;

use rerec_datasets::{DataSource, Dataset};
use tempfile::TempDir;

/// The files of a small dataset that is in order; a case replaces or removes some.
struct Folder {
    files: Vec<(&'static str, Vec<u8>)>,
    config: &'static str,
}

const FILES: &str = r#"
[files]
catalogue = { file = "{}/items.csv", attributes = { genres = "genre" } }
ratings = { file = "{}/ratings.csv", rating = "rating" }
queries = { train = "{}/train.jsonl", test = "{}/test.jsonl" }
"#;
const TIMED: &str = r#"
[files]
catalogue = { file = "{}/items.csv" }
ratings = { file = "{}/ratings.csv", rating = "rating", time = "when" }
queries = { train = "{}/train.jsonl" }
"#;
const JSONL: &str = r#"
[files]
catalogue = { file = "{}/items.jsonl" }
queries = { train = "{}/train.jsonl" }
"#;
const TABLES: &str = r#"
[files]
catalogue = { file = "{}/items.csv" }
queries = { train = "{}/train.tsv", items = "titles" }
"#;
const VERL: &str = r#"
[verl]
train = "{}/verl.jsonl"
catalogue = { file = "{}/items.csv" }
"#;
const RECBENCH: &str = r#"
[recbench]
folder = "{}"
classes = ["explicit", "interest"]
candidates = 3
"#;
const MILLION: &str = "[movielens]\nfolder = \"{}/1m\"\n";
const AMAZON: &str = r#"
[amazon]
metadata = "{}/meta.jsonl"
ratings = ["{}/reviews.csv"]
min_ratings = 1
"#;

const ITEMS: &str = "id,title,year,genres\n1,Heat (1995),1995,Crime|Drama\n2,Casino,1995,Crime\n3,\"Good, Bad\",,Western\n";
const QUERY: &str = r#"{"id": "q1", "class": "explicit", "conversation": "Crime?", "targets": ["1"], "candidates": ["1", "3"]}"#;
const RECORD: &str = r#"{"prompt": [{"role": "user", "content": "?"}], "reward_model": {"ground_truth": ["Heat"]}, "extra_info": {"index": 1}}"#;
const EXPLICIT: &str = r#"[{"source_user": "1", "movieSubset": ["Film 1 (1991)"], "movieSubsetId": [1], "situational_description_query": "One?", "data_idx": 0}]"#;
const INTEREST: &str = r#"[{"data_idx": 3, "query & ground true": [{"query": "Two?", "movie subset": ["Film 2 (1992)"]}]}]"#;

impl Folder {
    fn new(config: &'static str) -> Self {
        let files = [
            ("items.csv", ITEMS),
            (
                "items.jsonl",
                "{\"id\": 1, \"title\": \"Heat\"}\n{\"id\": 3, \"title\": \"Casino\"}\n",
            ),
            ("ratings.csv", "user,item,rating\nann,1,5\nbob,2,3.5\n"),
            ("train.jsonl", QUERY),
            (
                "train.tsv",
                "id\tconversation\ttargets\tcandidates\nq1\tCrime?\tHeat\tHeat|Casino\n",
            ),
            ("verl.jsonl", RECORD),
            (
                "movies.dat",
                "1::Film 1 (1991)::Drama\n2::Film 2 (1992)::Drama\n3::Film 3 (1993)::Drama\n4::Film 4 (1994)::Crime\n",
            ),
            ("ratings.dat", "1::1::5::0\n1::2::4::0\n"),
            ("ExplicitQuery.json", EXPLICIT),
            ("InterestBasedQuery.json", INTEREST),
            ("1m/movies.dat", "1::Film 1 (1991)::Drama\n"),
            ("1m/ratings.dat", "1::1::5::0\n"),
            ("1m/users.dat", "1::F::1::10::48067\n"),
            (
                "meta.jsonl",
                "{\"parent_asin\": \"B1\", \"title\": \"Book\"}\n",
            ),
            (
                "reviews.csv",
                "user_id,parent_asin,rating,timestamp\nU1,B1,5.0,1\n",
            ),
        ];
        let mut files: Vec<_> = files
            .map(|(name, text)| (name, text.as_bytes().to_vec()))
            .into();
        files.push(("test.jsonl", QUERY.replace("q1", "q2").into_bytes()));
        Self { files, config }
    }

    fn load(&self) -> Result<Dataset, String> {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("1m")).unwrap();
        for (name, bytes) in &self.files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let at = folder.path().to_str().unwrap();
        let source: DataSource = match toml::from_str(&self.config.replace("{}", at)) {
            Ok(source) => source,
            Err(error) => return Err(format!("configuration: {}", error.message())),
        };
        source.load(0).map_err(|error| {
            let mut message = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                write!(message, ": {cause}").unwrap();
                source = cause.source();
            }
            message
                .replace(&format!("{at}/"), "")
                .replace(at, "the folder")
        })
    }
}

/// What a case does to a file.
enum Damage {
    Bytes(&'static [u8]),
    Missing,
    /// The configuration is another.
    Config(&'static str),
}
use Damage::{Bytes, Config, Missing};

type Case = (&'static str, &'static str, &'static str, Damage);

/// Name, configuration, the file that is replaced, and by what.
#[rustfmt::skip]
const CASES: &[Case] = &[
    ("csv: missing", FILES, "items.csv", Missing),
    ("csv: empty", FILES, "items.csv", Bytes(b"")),
    ("csv: header alone", FILES, "items.csv", Bytes(b"id,title,year,genres\n")),
    ("csv: no column of ids", FILES, "items.csv", Bytes(b"sku,title,year,genres\n1,A,,\n")),
    ("csv: a column twice", FILES, "items.csv", Bytes(b"id,title,id,genres\n1,A,2,\n")),
    ("csv: parted by semicolons", FILES, "items.csv", Bytes(b"id;title;year;genres\n1;A;;\n")),
    ("csv: parted by tabs", FILES, "items.csv", Bytes(b"id\ttitle\tgenres\n1\tA\t\n")),
    ("csv: mixed separators", FILES, "items.csv", Bytes(b"id,title,year,genres\n1;Heat;1995;Crime\n")),
    ("csv: a field too many", FILES, "items.csv", Bytes(b"id,title,year,genres\n1,Good, Bad,1995,Crime\n")),
    ("csv: a field too few", FILES, "items.csv", Bytes(b"id,title,year,genres\n1,A,1995,\n2,B\n")),
    ("csv: an open quote", FILES, "items.csv", Bytes(b"id,title,year,genres\n1,\"Heat,1995,Crime\n2,B,,\n")),
    ("csv: truncated in a line", FILES, "items.csv", Bytes(b"id,title,year,genres\n1,Heat,1995,Crime\n2,Cas")),
    ("csv: latin-1", FILES, "items.csv", Bytes(b"id,title,year,genres\n1,Am\xE9lie,2001,\n")),
    ("csv: utf-16", FILES, "items.csv", Bytes(b"\xFF\xFEi\0d\0,\0t\0i\0t\0l\0e\0\n\0")),
    ("csv: a blank title", FILES, "items.csv", Bytes(b"id,title,year,genres\n1,\"  \",1995,\n")),
    ("csv: no id", FILES, "items.csv", Bytes(b"id,title,year,genres\n,Heat,1995,\n")),
    ("csv: an id twice", FILES, "items.csv", Bytes(b"id,title,year,genres\n1,A,,\n2,B,,\n1,C,,\n")),
    ("csv: a year in words", FILES, "items.csv", Bytes(b"id,title,year,genres\n1,A,nineties,\n")),
    ("csv: a year with a fraction", FILES, "items.csv", Bytes(b"id,title,year,genres\n1,A,1995.5,\n")),
    ("csv: an image", FILES, "items.csv", Bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")),
    ("csv: gzip", FILES, "items.csv", Bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\x03KLL\xe1\x02\0")),
    ("ratings: missing", FILES, "ratings.csv", Missing),
    ("ratings: none", FILES, "ratings.csv", Bytes(b"user,item,rating\n")),
    ("ratings: NaN", FILES, "ratings.csv", Bytes(b"user,item,rating\nann,1,NaN\n")),
    ("ratings: infinite", FILES, "ratings.csv", Bytes(b"user,item,rating\nann,1,inf\n")),
    ("ratings: off the scale", FILES, "ratings.csv", Bytes(b"user,item,rating\nann,1,5\nann,2,10\n")),
    ("ratings: none given", FILES, "ratings.csv", Bytes(b"user,item,rating\nann,1,\n")),
    ("ratings: a decimal comma", FILES, "ratings.csv", Bytes(b"user,item,rating\nann,1,\"4,5\"\n")),
    ("ratings: an unknown item", FILES, "ratings.csv", Bytes(b"user,item,rating\nann,99,5\n")),
    ("ratings: no user", FILES, "ratings.csv", Bytes(b"user,item,rating\n,1,5\n")),
    ("ratings: a column of another name", FILES, "ratings.csv", Bytes(b"user,item,stars\nann,1,5\n")),
    ("jsonl: items missing", JSONL, "items.jsonl", Missing),
    ("jsonl: items empty", JSONL, "items.jsonl", Bytes(b"\n\n")),
    ("jsonl: a list", JSONL, "items.jsonl", Bytes(b"[{\"id\": 1, \"title\": \"A\"}]\n")),
    ("jsonl: pretty-printed", JSONL, "items.jsonl", Bytes(b"{\n  \"id\": 1,\n  \"title\": \"A\"\n}\n")),
    ("jsonl: truncated", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"title\": \"A\"}\n{\"id\": 2, \"tit")),
    ("jsonl: two objects in a line", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"title\": \"A\"} {\"id\": 2}\n")),
    ("jsonl: a key twice", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"title\": \"A\", \"id\": 2}\n")),
    ("jsonl: no title", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"name\": \"A\"}\n")),
    ("jsonl: a title that is a list", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"title\": [\"A\"]}\n")),
    ("jsonl: an id that is true", JSONL, "items.jsonl", Bytes(b"{\"id\": true, \"title\": \"A\"}\n")),
    ("jsonl: attributes as texts", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"title\": \"A\", \"attributes\": [\"Crime\"]}\n")),
    ("jsonl: an attribute without a value", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"title\": \"A\", \"attributes\": [{\"relation\": \"genre\"}]}\n")),
    ("jsonl: a lone surrogate", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"title\": \"\\ud83c\"}\n")),
    ("jsonl: latin-1", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"title\": \"A\"}\n{\"id\": 2, \"title\": \"Am\xE9lie\"}\n")),
    ("jsonl: utf-16", JSONL, "items.jsonl", Bytes(b"{\0\"\0i\0d\0\"\0:\x001\0}\0\n\0")),
    ("jsonl: NaN", JSONL, "items.jsonl", Bytes(b"{\"id\": 1, \"title\": \"A\", \"year\": NaN}\n")),
    ("queries: missing", FILES, "train.jsonl", Missing),
    ("queries: an empty split", FILES, "test.jsonl", Bytes(b"")),
    ("queries: an id in two splits", FILES, "test.jsonl", Bytes(QUERY.as_bytes())),
    ("queries: no targets", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?", "targets": []}"#)),
    ("queries: targets missing", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?"}"#)),
    ("queries: an unknown target", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?", "targets": ["9"]}"#)),
    ("queries: a title for an id", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?", "targets": ["Heat"]}"#)),
    ("queries: a target that is no candidate", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?", "targets": ["1"], "candidates": ["2", "3"]}"#)),
    ("queries: a candidate twice", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?", "targets": ["1"], "candidates": ["1", "3", "3"]}"#)),
    ("queries: no candidates", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?", "targets": ["1"], "candidates": []}"#)),
    ("queries: candidates as objects", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?", "targets": ["1"], "candidates": [{"id": "1"}]}"#)),
    ("queries: a target in the history", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?", "targets": ["1"], "history": ["1"]}"#)),
    ("queries: a candidate in the history", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": "?", "targets": ["1"], "candidates": ["1", "2"], "history": ["2"]}"#)),
    ("queries: a blank conversation", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": " ", "targets": ["1"]}"#)),
    ("queries: no message", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": [], "targets": ["1"]}"#)),
    ("queries: a message without a role", FILES, "train.jsonl", Bytes(br#"{"id": "q", "conversation": [{"content": "?"}], "targets": ["1"]}"#)),
    ("queries: no id", FILES, "train.jsonl", Bytes(br#"{"conversation": "?", "targets": ["1"]}"#)),
    ("tsv: spaces for tabs", TABLES, "train.tsv", Bytes(b"id conversation targets\nq1 ? Heat\n")),
    ("tsv: commas for tabs", TABLES, "train.tsv", Bytes(b"id,conversation,targets\nq1,?,Heat\n")),
    ("tsv: an unknown title", TABLES, "train.tsv", Bytes(b"id\tconversation\ttargets\nq1\tCrime?\tHete\n")),
    ("tsv: an id twice", TABLES, "train.tsv", Bytes(b"id\tconversation\ttargets\nq1\tA\tHeat\nq1\tB\tHeat\n")),
    ("titles: two items of one title", TABLES, "items.csv", Bytes(b"id,title\n1,Heat\n2,Heat\n3,Casino\n")),
    ("verl: no ground truth", VERL, "verl.jsonl", Bytes(br#"{"prompt": "?", "reward_model": {"style": "rule"}}"#)),
    ("verl: an empty ground truth", VERL, "verl.jsonl", Bytes(br#"{"prompt": "?", "reward_model": {"ground_truth": ""}}"#)),
    ("verl: a ground truth that is an object", VERL, "verl.jsonl", Bytes(br#"{"prompt": "?", "reward_model": {"ground_truth": {"a": 1}}}"#)),
    ("verl: an unknown title", VERL, "verl.jsonl", Bytes(br#"{"prompt": "?", "reward_model": {"ground_truth": "Hete"}}"#)),
    ("verl: no prompt", VERL, "verl.jsonl", Bytes(br#"{"reward_model": {"ground_truth": "Heat"}}"#)),
    ("verl: an image in the prompt", VERL, "verl.jsonl", Bytes(br#"{"prompt": [{"role": "user", "content": [{"type": "image"}]}], "reward_model": {"ground_truth": "Heat"}}"#)),
    ("verl: the same prompt twice", VERL, "verl.jsonl", Bytes(b"{\"prompt\": \"?\", \"ground_truth\": \"Heat\"}\n{\"prompt\": \"?\", \"ground_truth\": \"Casino\"}\n")),
    ("verl: empty", VERL, "verl.jsonl", Bytes(b"")),
    ("recbench: a class without its file", RECBENCH, "InterestBasedQuery.json", Missing),
    ("recbench: truncated", RECBENCH, "ExplicitQuery.json", Bytes(b"[\n{\"source_user\": \"1\", \"movieSub")),
    ("recbench: an object for a list", RECBENCH, "ExplicitQuery.json", Bytes(b"{\"0\": {}}")),
    ("recbench: no titles", RECBENCH, "ExplicitQuery.json", Bytes(br#"[{"situational_description_query": "One?", "movieSubset": "Film 1"}]"#)),
    ("recbench: no query", RECBENCH, "ExplicitQuery.json", Bytes(br#"[{"movieSubset": ["Film 1"]}]"#)),
    ("recbench: no films", RECBENCH, "movies.dat", Missing),
    ("recbench: a film twice", RECBENCH, "movies.dat", Bytes(b"1::A (1991)::Drama\n1::B (1992)::Drama\n")),
    ("recbench: a rating of a film that is nowhere", RECBENCH, "ratings.dat", Bytes(b"1::77::5::0\n")),
    ("recbench: a template that shows no options", r#"recbench = { folder = "{}", prompt = { user = "{{ query }}" } }"#, "movies.dat", Bytes(b"")),
    ("1m: single colons", MILLION, "1m/movies.dat", Bytes(b"1:Film 1 (1991):Drama\n")),
    ("1m: a gender that is no letter", MILLION, "1m/users.dat", Bytes(b"1::female::25::10::0\n")),
    ("1m: no users", MILLION, "1m/users.dat", Missing),
    ("1m: six stars", MILLION, "1m/ratings.dat", Bytes(b"1::1::6::0\n")),
    ("amazon: no title anywhere", AMAZON, "meta.jsonl", Bytes(b"{\"parent_asin\": \"B1\", \"title\": null}\n")),
    ("amazon: an item twice", AMAZON, "meta.jsonl", Bytes(b"{\"parent_asin\": \"B1\", \"title\": \"A\"}\n{\"parent_asin\": \"B1\", \"title\": \"B\"}\n")),
    ("amazon: a rating of nothing", AMAZON, "reviews.csv", Bytes(b"user_id,parent_asin,rating\nU1,B1,\n")),
    ("settings: an unknown ending", "", "items.csv", Config(r#"files = { catalogue = { file = "{}/items.xlsx" }, queries = { train = "{}/train.jsonl" } }"#)),
    ("settings: a misspelt key", "", "items.csv", Config(r#"files = { catalogue = { fiel = "{}/items.csv" }, queries = { train = "{}/train.jsonl" } }"#)),
    ("settings: a threshold off the scale", "", "items.csv", Config(r#"files = { catalogue = { file = "{}/items.csv" }, queries = { train = "{}/train.jsonl" }, ratings = { file = "{}/ratings.csv", liked_from = 7.0 } }"#)),
    ("ratings: a time in words", TIMED, "ratings.csv", Bytes(b"user,item,rating,when\nann,1,5,2020-01-01\n")),
    ("ratings: no column of times", TIMED, "ratings.csv", Bytes(b"user,item,rating\nann,1,5\n")),
    ("recbench: no item is known", r#"recbench = { folder = "{}", classes = ["explicit"], candidates = 3 }"#, "ExplicitQuery.json", Bytes(br#"[{"situational_description_query": "One?", "movieSubset": ["Nowhere"], "movieSubsetId": [99]}]"#)),
    ("recbench: more candidates than films", RECBENCH, "ExplicitQuery.json", Config(r#"recbench = { folder = "{}", classes = ["explicit"], candidates = 300 }"#)),
    ("recbench: a graph of another catalogue", RECBENCH, "items.csv", Config(r#"recbench = { folder = "{}", classes = ["explicit"], graph = "{}/train.tsv" }"#)),
    ("settings: a scale upside down", "", "items.csv", Config(r#"files = { catalogue = { file = "{}/items.csv" }, queries = { train = "{}/train.jsonl" }, ratings = { file = "{}/ratings.csv", scale = [5.0, 1.0] } }"#)),
];

#[test]
fn the_undamaged_files_are_read() {
    for config in [FILES, JSONL, TABLES, VERL, RECBENCH] {
        let dataset = Folder::new(config).load();
        assert!(dataset.is_ok(), "{config}{dataset:?}");
    }
}

#[test]
fn every_damage_has_its_message() {
    let mut messages = String::new();
    for (name, config, file, damage) in CASES {
        let mut folder = Folder::new(config);
        let place = folder.files.iter().position(|(known, _)| known == file);
        let place = place.unwrap_or_else(|| panic!("{name}: {file}"));
        match damage {
            Bytes(bytes) => folder.files[place].1 = bytes.to_vec(),
            Missing => drop(folder.files.remove(place)),
            Config(config) => folder.config = config,
        }
        let message = folder.load().map(|_| ()).expect_err(name);
        writeln!(messages, "{name}\n    {message}").unwrap();
    }
    assert!(CASES.len() >= 60);
    insta::assert_snapshot!(messages);
}
