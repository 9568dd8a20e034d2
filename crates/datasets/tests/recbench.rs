//! RecBench+'s schemas, on invented films and books.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;

use rerec_datasets::{DataSource, Dataset, Domain, QueryClass, RecBenchConfig};
use tempfile::TempDir;

const EXPLICIT: &str = r#"[
  {"source_user": "1", "condition_num": 1, "movieCount": 2, "movieSubset": ["The Film 3 (1993)", "Film 4 (1994)"], "movieSubsetId": [3, 4],
   "sharedRelationships": [["Directed_by", "Ada Lorne"]], "direct_description_query": "Films by Ada Lorne?",
   "situational_description_query": "I had a long day. Films by Ada Lorne?", "data_idx": 0},
  {"source_user": "2", "condition_num": 1, "movieCount": 1, "movieSubset": ["Nowhere to be Found (2004)"], "movieSubsetId": [99999],
   "sharedRelationships": [["Starring", "Max Ilyn"]], "direct_description_query": "?", "situational_description_query": "Max Ilyn?", "data_idx": 1}
]"#;
const MISINFORMED: &str = r#"[
  {"source_user": "1", "condition_num": 1, "movieCount": 1, "movieSubset": ["Film 5 (1995)"], "movieSubsetId": [5], "sharedRelationships": [["Directed_by", "Ada Lorne"]],
   "multihop_info": [{"movie": "Film 6 (1996)", "relation": "Directed_by", "person": "Ada Lorne"}],
   "misinformed": [{"movie": "Film 6 (1996)", "relation": "Directed_by", "original person": "Ada Lorne", "person": "Prof. T."}],
   "query": "Film 6, by Prof. T., was fine. More of the director?", "data_idx": 0}
]"#;
const INTEREST: &str = r#"[
  {"Shared consecutive movies": ["Film 7 (1997)"], "source_users": ["1", "2"], "data_idx": 12,
   "query & ground true": [{}, {"reason": "r", "query": "Something dark?", "movie subset": ["Film 8 (1998)"]}]}
]"#;

fn movies() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    let mut films = Vec::new();
    for number in 1..=40 {
        films.extend(
            format!(
                "{number}::Film {number} ({})::Drama|Comedy\n",
                1990 + number
            )
            .bytes(),
        );
    }
    // Latin-1: one byte for the accent.
    films.extend(b"41::Am\xE9lie (2001)::Romance\n");
    write("movies.dat", &films);
    write(
        "ratings.dat",
        b"1::9::5::0\n1::10::2::0\n1::3::5::0\n2::9::4::0\n",
    );
    write("ExplicitQuery.json", EXPLICIT.as_bytes());
    write("MisinformedQuery.json", MISINFORMED.as_bytes());
    write("InterestBasedQuery.json", INTEREST.as_bytes());
    folder
}

fn config(folder: &TempDir) -> RecBenchConfig {
    RecBenchConfig {
        folder: folder.path().to_owned(),
        classes: vec![
            QueryClass::EXPLICIT,
            QueryClass::MISINFORMED,
            QueryClass::INTEREST,
        ],
        candidates: 20,
        history: 2,
        validation_items: 0.0,
        test_items: 0.0,
        ..RecBenchConfig::default()
    }
}

fn load(config: RecBenchConfig) -> Result<Dataset, String> {
    let path = config.folder.to_str().unwrap().to_owned();
    let dataset = DataSource::Recbench(config).load(3);
    dataset.map_err(|error| error.to_string().replace(&path, "."))
}

#[test]
fn each_class_becomes_a_choice_of_one_and_nineteen() {
    let folder = movies();
    let dataset = load(config(&folder)).unwrap();
    let train = &dataset.splits.train;
    let ids: Vec<&str> = train.iter().map(|query| query.id.as_str()).collect();
    assert_eq!(ids, ["explicit-0", "misinformed-0", "interest-12-0"]);
    for query in train {
        let candidates = query.candidates.as_ref().unwrap();
        assert_eq!(candidates.iter().collect::<HashSet<_>>().len(), 20);
        assert!(candidates.contains(&query.targets[0]));
        assert_eq!(query.check(&dataset.catalogue), Ok(()));
    }
    // What is asked for; of a profile it is not known.
    let asked: Vec<Vec<&str>> = train
        .iter()
        .map(|query| {
            let conditions = query.conditions.iter();
            conditions.map(|one| one.value.as_str()).collect()
        })
        .collect();
    assert_eq!(asked, [vec!["Ada Lorne"], vec!["Ada Lorne"], vec![]]);
    assert_eq!(train[0].conditions[0].relation, "Directed_by");
    // The other right film is no wrong candidate, and what the user liked is shown.
    let explicit = &train[0];
    let gold = ["3", "4"];
    let candidates = explicit.candidates.as_ref().unwrap();
    assert_eq!(
        candidates
            .iter()
            .filter(|id| gold.contains(&id.as_str()))
            .count(),
        1
    );
    assert_eq!(
        explicit
            .history
            .iter()
            .map(|id| id.as_str())
            .collect::<Vec<_>>(),
        ["9"]
    );
    let text = &explicit.conversation[0].content;
    assert!(
        text.starts_with("I had a long day. Films by Ada Lorne?\n"),
        "{text}"
    );
    assert!(
        text.contains("- Film 9 (1999)\n") && text.contains("[20] ") && text.contains("\\boxed{")
    );
    assert!(
        train[1].conversation[0]
            .content
            .starts_with("Film 6, by Prof. T., was fine.")
    );
    assert!(
        dataset.remarks[0].starts_with("1 queries are left out"),
        "{:?}",
        dataset.remarks
    );
    let amelie = dataset
        .catalogue
        .get(dataset.catalogue.index_of("41").unwrap());
    assert_eq!(amelie.title, "Amélie (2001)");
}

#[test]
fn what_is_no_pair_of_relation_and_value_is_told() {
    let folder = movies();
    let odd = EXPLICIT.replace(r#"["Directed_by", "Ada Lorne"]"#, r#""Ada Lorne""#);
    fs::write(folder.path().join("ExplicitQuery.json"), odd).unwrap();
    let dataset = load(config(&folder)).unwrap();
    assert!(dataset.splits.train[0].conditions.is_empty());
    let told = "sharedRelationships of 1 queries are no pairs of relation and value: what these ask for is not known";
    assert!(
        dataset.remarks.iter().any(|remark| remark == told),
        "{:?}",
        dataset.remarks
    );
}

#[test]
fn the_splits_share_no_target_and_repeat() {
    let folder = movies();
    let split = RecBenchConfig {
        test_items: 0.5,
        ..config(&folder)
    };
    let (a, b) = (load(split.clone()), load(split));
    match (a, b) {
        (Ok(a), Ok(b)) => {
            assert_eq!(a.splits, b.splits);
            let targets = |queries: &[rerec_datasets::Query]| -> HashSet<String> {
                queries
                    .iter()
                    .map(|query| query.targets[0].to_string())
                    .collect()
            };
            assert!(targets(&a.splits.train).is_disjoint(&targets(&a.splits.test)));
            assert_eq!(a.splits.train.len() + a.splits.test.len(), 3);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn books_are_known_by_their_titles() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    let ratings =
        (0..30).map(|number| format!("u{}\tBook {number}\t{}\n", number % 4, 1 + number % 5));
    write("ratings.dat", ratings.collect());
    let explicit = r#"[{"source_user": "u1", "bookCount": 1, "bookSubset": ["Book 3"], "situational_description_query": "Ships?", "data_idx": 4}]"#;
    write("ExplicitQuery.json", explicit.to_owned());
    let config = RecBenchConfig {
        folder: folder.path().to_owned(),
        domain: Domain::Book,
        classes: vec![QueryClass::EXPLICIT],
        test_items: 0.0,
        validation_items: 0.0,
        ..RecBenchConfig::default()
    };
    let dataset = load(config).unwrap();
    assert_eq!(dataset.catalogue.len(), 30);
    assert_eq!(dataset.splits.train[0].targets[0], "Book 3");
}

#[test]
fn faults_name_file_place_and_key() {
    let spoilt = |name: &str, from: &str, to: &str| {
        let folder = movies();
        let path = folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        load(config(&folder)).unwrap_err()
    };
    assert_eq!(
        spoilt(
            "ExplicitQuery.json",
            "\"situational_description_query\": \"Max",
            "\"situational\": \"Max"
        ),
        "row 2 of ./ExplicitQuery.json: situational_description_query must be a text that is not blank, got nothing"
    );
    assert_eq!(
        spoilt(
            "ExplicitQuery.json",
            "[\"The Film 3 (1993)\", \"Film 4 (1994)\"]",
            "[]"
        ),
        "row 1 of ./ExplicitQuery.json: movieSubset must be a list of titles, at least one, got a list of 0"
    );
    assert_eq!(
        spoilt(
            "InterestBasedQuery.json",
            "query & ground true",
            "query & ground truth"
        ),
        "row 1 of ./InterestBasedQuery.json: query & ground true must be a list of queries, got nothing"
    );
    assert_eq!(
        spoilt("ratings.dat", "1::10::2::0", "1::10::2"),
        "line 2 of ./ratings.dat: 4 fields expected, got 3"
    );
    let folder = movies();
    let missing = RecBenchConfig {
        classes: vec![QueryClass::IMPLICIT],
        ..config(&folder)
    };
    let is_missing = |file: &str| {
        format!(
            "./{file} is missing: a folder of RecBench+ holds a file of queries for each class that is read, and movies.dat and \
             ratings.dat of MovieLens-1M, or ratings.dat of the books"
        )
    };
    assert_eq!(load(missing).unwrap_err(), is_missing("ImplicitQuery.json"));
    fs::remove_file(folder.path().join("movies.dat")).unwrap();
    assert_eq!(load(config(&folder)).unwrap_err(), is_missing("movies.dat"));
    let strange = RecBenchConfig {
        classes: vec!["bundles".into()],
        ..config(&folder)
    };
    assert_eq!(
        load(strange).unwrap_err(),
        "classes must be explicit, implicit, misinformed, interest or demographics, got \"bundles\""
    );
}

#[test]
fn a_graph_beside_the_queries_describes_the_items() {
    let folder = movies();
    let path = folder.path().join("graph.tsv");
    fs::write(
        &path,
        "Film 3\tdirector\tAda Lorne\nFILM 4 (1994)\tdirector\tAda Lorne\nElsewhere\tdirector\tBo Bex\n",
    )
    .unwrap();
    let with_graph = RecBenchConfig {
        graph: Some(path),
        ..config(&folder)
    };
    let plain = load(config(&folder)).unwrap();
    let dataset = load(with_graph).unwrap();
    assert_eq!(dataset.splits, plain.splits);
    let film = dataset
        .catalogue
        .get(dataset.catalogue.index_of("4").unwrap());
    let facts: Vec<String> = film
        .attributes
        .iter()
        .map(|a| format!("{} {}", a.relation, a.value))
        .collect();
    assert_eq!(
        facts,
        [
            "genre Drama",
            "genre Comedy",
            "decade 1990s",
            "director Ada Lorne"
        ]
    );
    assert!(
        dataset.remarks[0]
            .ends_with("graph.tsv: 2 of 3 facts are about 2 of the 41 items; 1 names stand for no item or for several"),
        "{:?}",
        dataset.remarks
    );
}

#[test]
fn histories_show_ratings_and_keep_to_their_tokens() {
    let folder = movies();
    let mut rated = config(&folder);
    rated.prompt.rated = "{{ title }}, {{ rating }} stars".to_owned();
    let text = |config| {
        load(config).unwrap().splits.train[0].conversation[0]
            .content
            .clone()
    };
    let shown = text(rated.clone());
    assert!(shown.contains("- Film 9 (1999), 5 stars\n"), "{shown}");
    // 23 bytes are estimated at 8 tokens.
    rated.history_tokens = Some(7);
    assert!(!text(rated.clone()).contains("Film 9 (1999), 5"));
    rated.history_tokens = Some(8);
    assert_eq!(text(rated), shown);
}
