//! Responses: boxes, lists and titles.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rerec_rewards::{AnswerChoice, AnswerReader, Catalogue, Item, TitleMatch};

static READER: LazyLock<AnswerReader> = LazyLock::new(|| {
    let titles = [
        "Heat (1995)",
        "Seven (a.k.a. Se7en) (1995)",
        "War and Peace; Volume 1",
        "Amélie",
        "...",
    ];
    let items = titles.map(|title| Item::new(title, title)).into();
    let catalogue = Catalogue::new(items).expect("distinct titles");
    AnswerReader::new(catalogue.into(), TitleMatch::Title, AnswerChoice::Last)
});

fuzz_target!(|response: &str| {
    let Some(answer) = READER.read(response, None) else {
        return;
    };
    assert!(response[answer.span].starts_with("\\boxed{"));
    for item in &answer.items {
        assert!(response.get(item.span.clone()).is_some());
    }
});
