//! Sentences in other words, by a server of the test's own.
#![cfg(feature = "paraphrase")]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rerec_datasets::{
    Dataset, DemonstratorConfig, ParaphraseConfig, PromptConfig, QueryClass, QueryConfig, Source,
    Wording,
};
use rerec_rewards::{Attribute, Catalogue, Item};
use serde_json::{Value, json};

/// A server that answers each request by `reply`, given the sentence; the number of its requests.
struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn new(reply: fn(&str) -> (u16, String)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                answer(stream.unwrap(), reply);
            }
        });
        Self { url, asked }
    }
}

fn answer(mut stream: TcpStream, reply: fn(&str) -> (u16, String)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("POST /v1/chat/completions "), "{line}");
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        match line.trim().to_lowercase().split_once(':') {
            Some(("content-length", number)) => length = number.trim().parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["model"], "scripted");
    let (status, text) = reply(body["messages"][1]["content"].as_str().unwrap());
    let body =
        json!({"choices": [{"message": {"role": "assistant", "content": text}}]}).to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
}

fn compose(url: &str, cache: &Path) -> Result<Dataset, String> {
    let attribute = |relation: &str, value: &str| Attribute {
        relation: relation.into(),
        value: value.into(),
    };
    let book = |number: usize| {
        let mut book = Item::new(format!("b{number}"), format!("Book {number}."));
        book.attributes.extend([
            attribute("author", ["Anna Ard", "Bo Bex", "Cy Cole"][number % 3]),
            attribute("topic", ["ships", "birds"][number % 2]),
        ]);
        book
    };
    let paraphrase = ParaphraseConfig {
        url: url.to_owned(),
        parallel: 3,
        ..toml::from_str(&format!(
            "url = \"\"\nmodel = \"scripted\"\ncache = {cache:?}"
        ))
        .unwrap()
    };
    let source = Source {
        catalogue: Catalogue::new((0..40).map(book).collect()).unwrap(),
        ratings: Vec::new(),
        groups: Vec::new(),
        wording: Wording {
            paraphrase: Some(paraphrase),
            ..Wording::plain("book", ["author", "topic"])
        },
        prompt: PromptConfig::default(),
    };
    let queries = QueryConfig {
        train: 12,
        validation: 2,
        test: 2,
        history_share: 0.0,
        classes: vec![QueryClass::EXPLICIT, QueryClass::IMPLICIT],
        ..QueryConfig::default()
    };
    let dataset = Dataset::compose(7, source, &queries, &DemonstratorConfig::default());
    dataset.map_err(|error| error.to_string())
}

fn prompts(dataset: &Dataset) -> Vec<&str> {
    dataset
        .splits
        .queries()
        .map(|query| query.conversation[0].content.as_str())
        .collect()
}

#[test]
fn a_second_build_asks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("phrases.jsonl");
    let server = Server::new(|sentence| (200, format!("Hi! {sentence}")));
    let first = compose(&server.url, &cache).unwrap();
    assert!(
        prompts(&first)
            .iter()
            .all(|prompt| prompt.starts_with("Hi! "))
    );
    let demonstrated = &first.demonstrations[0].conversation[0].content;
    assert!(demonstrated.starts_with("Hi! "), "{demonstrated}");
    assert!(
        first
            .remarks
            .iter()
            .any(|remark| remark.starts_with("train: all 12 sentences")),
        "{:?}",
        first.remarks
    );
    let asked = server.asked.load(Ordering::SeqCst);
    assert!((1..=16).contains(&asked), "{asked}");
    let second = compose(&server.url, &cache).unwrap();
    assert_eq!(second.splits, first.splits);
    assert_eq!(server.asked.load(Ordering::SeqCst), asked);
}

#[test]
fn a_reply_that_leaves_out_what_is_named_is_asked_for_again_and_then_left() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|sentence| match sentence.contains('"') {
        // The anchor of an implicit query is gone.
        true => (200, "A book like the other one, please.".to_owned()),
        false => (200, format!("Hi! {sentence}")),
    });
    let dataset = compose(&server.url, &folder.path().join("phrases.jsonl")).unwrap();
    for query in &dataset.splits.train {
        let text = &query.conversation[0].content;
        assert_eq!(
            text.starts_with("Hi! "),
            query.class == QueryClass::EXPLICIT,
            "{text}"
        );
    }
    assert!(
        dataset
            .remarks
            .iter()
            .any(|remark| remark.starts_with("train: 6 of 12 sentences")),
        "{:?}",
        dataset.remarks
    );
}

#[test]
fn a_server_that_refuses_is_an_error_with_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|_| (401, "no such key".to_owned()));
    let refused = compose(&server.url, &folder.path().join("phrases.jsonl")).unwrap_err();
    assert!(
        refused.contains("gives no phrase: status 401: ") && refused.contains("no such key"),
        "{refused}"
    );
    let nowhere = compose("ftp://example.org", &folder.path().join("phrases.jsonl")).unwrap_err();
    assert!(
        nowhere.starts_with("paraphrase.url must be an address"),
        "{nowhere}"
    );
}
