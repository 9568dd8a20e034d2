//! Files of graphs and embeddings: round trips, and input of every broken kind.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use ndarray::Array2;
use proptest::prelude::*;
use rerec_rewards::{
    AttributeGraph, Catalogue, EmbeddingTable, Error, GraphFile, GraphFormat, InteractionFormat,
    Interactions, Item, JoinBy,
};

const GEXF: &str = r#"<?xml version='1.0' encoding='utf-8'?>
<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2"><graph defaultedgetype="undirected">
<attributes class="edge"><attribute id="0" title="relation" type="string" /></attributes>
<nodes><node id="Heat" label="Heat" /><node id="Mann" label="Mann" /><node id="Thief" label="Thief" /></nodes>
<edges><edge source="Heat" target="Mann" id="0"><attvalues><attvalue for="0" value="director" /></attvalues></edge>
<edge source="Mann" target="Thief" id="1" /></edges></graph></gexf>"#;
const TSV: &str = "Heat\tdirector\tMann\nThief\tdirector\tMann\n";
const JSONL: &str = "{\"item\":\"Heat\",\"relation\":\"director\",\"attribute\":\"Mann\"}\n";
const FORMATS: [(GraphFormat, &str); 3] = [
    (GraphFormat::Gexf, GEXF),
    (GraphFormat::Tsv, TSV),
    (GraphFormat::Jsonl, JSONL),
];

const INTERACTIONS: [(InteractionFormat, &str); 3] = [
    (InteractionFormat::Tsv, "ann\theat\nann\tthief\nbob\theat\n"),
    (
        InteractionFormat::Inter,
        "user_id:token\titem_id:token\nann\theat\nbob\theat\n",
    ),
    (
        InteractionFormat::Dat,
        "1::1193::5::978300760\n1::661::3::978302109\n",
    ),
];

fn table() -> EmbeddingTable {
    let ids = ["a", "b", "Ein Käfig"].map(str::to_owned).to_vec();
    let values = Array2::from_shape_fn((3, 2), |(i, j)| i as f32 + 0.1 * j as f32 - 0.7);
    EmbeddingTable::new(ids, values).unwrap()
}

/// The three formats of embeddings, as bytes.
fn embedding_files() -> Vec<(&'static str, Vec<u8>)> {
    let directory = tempfile::tempdir().unwrap();
    ["safetensors", "npy", "tsv"]
        .map(|ending| {
            let path = directory.path().join("items").with_extension(ending);
            table().write(&path).unwrap();
            (ending, std::fs::read(path).unwrap())
        })
        .to_vec()
}

fn parse_embeddings(ending: &str, bytes: &[u8]) -> Result<EmbeddingTable, Error> {
    let path = Path::new("input");
    match ending {
        "safetensors" => EmbeddingTable::from_safetensors(bytes, path),
        "npy" => EmbeddingTable::from_npy(bytes, table().ids().to_vec(), path),
        _ => EmbeddingTable::from_tsv(bytes, path),
    }
}

fn parse_graph(format: GraphFormat, bytes: &[u8]) -> Result<usize, Error> {
    let file = GraphFile::parse(bytes, format, Path::new("input"))?;
    Ok(file.triples(|name| name.len() % 2 == 0)?.len())
}

#[test]
fn embeddings_survive_every_format() {
    let directory = tempfile::tempdir().unwrap();
    for ending in ["safetensors", "npy", "tsv"] {
        let path = directory.path().join(format!("items.{ending}"));
        table().write(&path).unwrap();
        assert_eq!(EmbeddingTable::read(&path).unwrap(), table());
        // Again over the file that is there.
        table().write(&path).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(directory.path().join("items.ids")).unwrap(),
        "a\nb\nEin Käfig\n"
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 4);
}

#[test]
fn files_that_cannot_be_read_or_written_say_so() {
    let message = |path: &str| {
        EmbeddingTable::read(Path::new(path))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message("items.csv"),
        "items.csv: unknown file ending, need .safetensors, .npy or .tsv"
    );
    assert!(message("absent/items.tsv").starts_with("cannot read absent/items.tsv"));
    let error = GraphFile::read(Path::new("graph")).unwrap_err().to_string();
    assert_eq!(
        error,
        "graph: unknown file ending, need .gexf, .tsv or .jsonl"
    );
    let broken = EmbeddingTable::new(vec!["a\nb".into()], Array2::ones((1, 1))).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let error = broken
        .write(&directory.path().join("items.npy"))
        .unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn ids_are_checked_whatever_the_format() {
    let twice = parse_embeddings("tsv", b"a\t1\na\t2\n").unwrap_err();
    assert_eq!(
        twice.to_string(),
        "data of input: row 1 of the embeddings has id `a`, which row 0 already has"
    );
    let few = EmbeddingTable::from_npy(&embedding_files()[1].1, vec!["a".into()], Path::new("x"));
    assert_eq!(
        few.unwrap_err().to_string(),
        "data of x: embeddings of shape [3, 2] for 1 ids: need one row per id and at least one column"
    );
}

#[test]
fn a_non_finite_number_is_refused_in_binary_files_too() {
    for (ending, mut bytes) in embedding_files().into_iter().take(2) {
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        let error = parse_embeddings(ending, &bytes).unwrap_err().to_string();
        assert!(error.starts_with("data of "), "{error}");
        assert!(
            error.contains("row 2 of the embeddings") && error.contains("NaN in column 1"),
            "{error}"
        );
    }
}

#[test]
fn a_cut_file_is_never_taken_for_a_whole_one() {
    for (ending, bytes) in embedding_files().into_iter().take(2) {
        for length in 0..bytes.len() {
            assert!(
                parse_embeddings(ending, &bytes[..length]).is_err(),
                "{ending} cut at {length}"
            );
        }
    }
    for length in 0..GEXF.len() {
        assert!(
            parse_graph(GraphFormat::Gexf, &GEXF.as_bytes()[..length]).is_err(),
            "cut at {length}"
        );
    }
}

#[test]
fn nodes_join_by_their_ids_and_titles_that_several_have_by_ids_too() {
    let nodes = |titles: [&str; 2]| {
        let [first, second] = titles;
        format!(
            "<gexf><nodes><node id='g1' label='Crime'/><node id='g2' label='War'/>
             <node id='tt1' label='{first}'/><node id='tt2' label='{second}'/></nodes>
             <edges><edge source='g1' target='tt1'/><edge source='tt2' target='g2'/></edges></gexf>"
        )
    };
    let facts = |titles, ids: [&str; 2], by| {
        let path = Path::new("graph.gexf");
        let file = GraphFile::parse(nodes(titles).as_bytes(), GraphFormat::Gexf, path).unwrap();
        let items = ids.map(|id| Item::new(id, format!("Title of {id}")));
        let catalogue = Catalogue::new(items.into()).unwrap();
        AttributeGraph::join(&file, &catalogue, by).map(|joined| {
            let indices = catalogue.iter().map(|(index, _)| index);
            let values = |index| {
                joined
                    .graph
                    .attributes(index)
                    .map(|a| a.value.clone())
                    .collect()
            };
            (
                indices.map(values).collect::<Vec<Vec<String>>>(),
                joined.report,
            )
        })
    };
    let both = [vec!["Crime".to_owned()], vec!["War".to_owned()]];
    let by_id = facts(["Heat", "Casino"], ["tt1", "tt2"], JoinBy::Id).unwrap();
    assert_eq!(by_id.0, both);
    assert!(facts(["Heat", "Casino"], ["tt1", "tt2"], JoinBy::Title).is_err());
    assert!(facts(["tt1", "tt2"], ["Heat", "Casino"], JoinBy::Id).is_err());
    for by in [JoinBy::Title, JoinBy::Id] {
        assert_eq!(facts(["Heat", "Heat"], ["tt1", "tt2"], by).unwrap().0, both);
    }
    // Where the ids are of elsewhere, a title that two nodes have is guessed for neither.
    let catalogue = Catalogue::new(vec![Item::new("1", "Heat"), Item::new("2", "Ran")]).unwrap();
    let text = nodes(["Heat", "Heat"])
        .replace("</nodes>", "<node id='r' label='Ran'/></nodes>")
        .replace("</edges>", "<edge source='g2' target='r'/></edges>");
    let file = GraphFile::parse(text.as_bytes(), GraphFormat::Gexf, Path::new("g")).unwrap();
    let report = AttributeGraph::join(&file, &catalogue, JoinBy::Title)
        .unwrap()
        .report;
    assert_eq!((report.joined, report.ambiguous, report.items), (1, 2, 1));
    assert_eq!(report.left_out, ["tt1", "tt2"]);
}

#[test]
fn spellings_of_an_attribute_are_one() {
    let alike = |a: &str, b: &str| {
        let facts = format!("A\tgenre\t{a}\nB\tGenre\t{b}\n");
        let file = GraphFile::parse(facts.as_bytes(), GraphFormat::Tsv, Path::new("g")).unwrap();
        let items = rerec_rewards::Triple::items(&file.triples(|_| false).unwrap());
        let graph = AttributeGraph::from_catalogue(&Catalogue::new(items).unwrap()).unwrap();
        graph.statistics().attributes == 1
    };
    for (a, b) in [
        ("Sci-Fi", "sci-fi"),
        ("SCI-FI", "Sci-Fi"),
        ("Agn\u{e8}s Varda", "Agne\u{300}s Varda"),
        ("AGN\u{c8}S VARDA", "agne\u{300}s  varda"),
        ("Stra\u{df}e", "STRASSE"),
        ("\u{3a3}\u{391}\u{3a3}", "\u{3c3}\u{3b1}\u{3c2}"),
        ("New\u{a0}Wave", "New Wave"),
    ] {
        assert!(alike(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("Sci-Fi", "SciFi"),
        ("Agn\u{e8}s", "Agnes"),
        ("1990", "1991"),
    ] {
        assert!(!alike(a, b), "{a} {b}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_other_encodings_are_named() {
    let files = FORMATS.map(|(format, text)| (format, text.to_owned()));
    let utf16 =
        |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    for (format, text) in files {
        let marked = format!("\u{feff}{text}");
        let plain = parse_graph(format, text.as_bytes()).unwrap();
        assert_eq!(parse_graph(format, marked.as_bytes()).unwrap(), plain);
        for bytes in [utf16(&text), utf16(&marked)] {
            let error = parse_graph(format, &bytes).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains("UTF-16LE"), "{cause}");
        }
    }
    for (format, text) in INTERACTIONS {
        let parse = |text: &str| Interactions::parse(text.as_bytes(), format, Path::new("x"));
        let plain = parse(text).unwrap();
        assert_eq!(parse(&format!("\u{feff}{text}")).unwrap(), plain);
    }
    let marked = parse_embeddings("tsv", "\u{feff}a\t1\n".as_bytes()).unwrap();
    assert_eq!(marked.ids(), ["a"]);
    let cut = r#"{"item":"Heat \ud83d","attribute":"x"}"#;
    let error = parse_graph(GraphFormat::Jsonl, cut.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("line 1 of input: lone surrogate"),
        "{error}"
    );
}

#[test]
fn graphs_join_by_title_and_by_id() {
    let directory = tempfile::tempdir().unwrap();
    let items = vec![
        Item::new("Thief", "Heat (1995)"),
        Item::new("Heat", "Thief (1981)"),
    ];
    let catalogue = Catalogue::new(items).unwrap();
    for (ending, (_, content)) in ["gexf", "tsv"].into_iter().zip(FORMATS) {
        let path = directory.path().join(format!("graph.{ending}"));
        std::fs::write(&path, content).unwrap();
        for by in [JoinBy::Title, JoinBy::Id] {
            let joined = AttributeGraph::read(&path, &catalogue, by).unwrap();
            assert_eq!((joined.report.triples, joined.report.items), (2, 2));
            assert!(!joined.report.id_space.looks_wrong());
        }
    }
    let strangers = Catalogue::new(vec![Item::new("1", "Alien")]).unwrap();
    let error = AttributeGraph::read(
        &directory.path().join("graph.tsv"),
        &strangers,
        JoinBy::Title,
    );
    assert!(matches!(
        error,
        Err(Error::NoTripleInCatalogue {
            triples: 2,
            items: 1
        })
    ));
}

/// Valid bytes with some of them changed, cut or repeated.
fn damaged(original: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = original.len();
    let change = (0..length, any::<u8>());
    (prop::collection::vec(change, 0..6), 0..=length, 0..length).prop_map(
        move |(changes, cut, twice)| {
            let mut bytes = original.clone();
            changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
            bytes.truncate(cut.max(length / 2));
            let tail = bytes[twice.min(bytes.len())..].to_vec();
            bytes.extend(tail);
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damaged_graphs_never_panic(
        gexf in damaged(GEXF.into()), tsv in damaged(TSV.into()), jsonl in damaged(JSONL.into()),
    ) {
        for (format, bytes) in [(GraphFormat::Gexf, gexf), (GraphFormat::Tsv, tsv), (GraphFormat::Jsonl, jsonl)] {
            let _ = parse_graph(format, &bytes);
        }
    }

    #[test]
    fn damaged_embeddings_never_panic(
        (ending, bytes) in prop::sample::select(embedding_files())
            .prop_flat_map(|(ending, bytes)| (Just(ending), damaged(bytes))),
    ) {
        if let Ok(table) = parse_embeddings(ending, &bytes) {
            prop_assert!(table.values().iter().all(|value| value.is_finite()));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (format, _) in FORMATS {
            let _ = parse_graph(format, &bytes);
        }
        for ending in ["safetensors", "npy", "tsv"] {
            let _ = parse_embeddings(ending, &bytes);
        }
    }

    #[test]
    fn damaged_interactions_never_panic(
        (format, bytes) in prop::sample::select(INTERACTIONS.to_vec())
            .prop_flat_map(|(format, text)| (Just(format), damaged(text.into()))),
        fractions in (0.0..0.6, 0.0..0.6),
    ) {
        if let Ok(interactions) = Interactions::parse(&bytes, format, Path::new("input")) {
            prop_assert!(!interactions.is_empty());
            if let Ok(split) = interactions.split(fractions.0, fractions.1, 0) {
                let parts = split.train.len() + split.validation.len() + split.test.len();
                prop_assert_eq!(parts, interactions.len());
            }
        }
    }

    #[test]
    fn any_table_survives_tsv(
        rows in prop::collection::hash_map("[a-z \u{e9}\u{4e2d}]{0,4}[a-z]", prop::array::uniform3(-1e30f32..1e30), 1..9),
    ) {
        let ids: Vec<String> = rows.keys().cloned().collect();
        let values = Array2::from_shape_fn((ids.len(), 3), |(row, column)| rows[&ids[row]][column]);
        let table = EmbeddingTable::new(ids, values).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("items.tsv");
        table.write(&path).unwrap();
        prop_assert_eq!(EmbeddingTable::read(&path).unwrap(), table);
    }
}
