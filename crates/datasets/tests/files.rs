//! Queries, catalogues and verl records go to files and come back the same; faults name their line.
#![allow(clippy::unwrap_used)]

use std::fs;

use rerec_datasets::{
    Dataset, Error, Query, QueryConfig, QueryFault, VerlRecord, WorldConfig, read_catalogue,
    read_jsonl, read_queries, write_jsonl,
};
use rerec_rewards::ItemId;
use rerec_text::Message;
use tempfile::TempDir;

fn world() -> Dataset {
    let queries = QueryConfig {
        train: 50,
        validation: 10,
        test: 10,
        ..QueryConfig::default()
    };
    let config = WorldConfig {
        queries,
        ..WorldConfig::default()
    };
    Dataset::quickstart(0, &config).unwrap()
}

#[test]
fn everything_comes_back_as_it_was_written() {
    let (folder, world) = (TempDir::new().unwrap(), world());
    let path = |name: &str| folder.path().join(name);
    write_jsonl(&path("items.jsonl"), world.catalogue.items()).unwrap();
    let catalogue = read_catalogue(&path("items.jsonl")).unwrap();
    assert_eq!(catalogue.items(), world.catalogue.items());
    write_jsonl(&path("train.jsonl"), &world.splits.train).unwrap();
    assert_eq!(
        read_queries(&path("train.jsonl"), &catalogue).unwrap(),
        world.splits.train
    );

    let records = world
        .splits
        .test
        .iter()
        .map(|query| VerlRecord::new(query, &catalogue, "films", "test").unwrap());
    write_jsonl(&path("verl.jsonl"), records).unwrap();
    let records: Vec<VerlRecord> = read_jsonl(&path("verl.jsonl")).unwrap();
    let queries: Vec<Query> = records.into_iter().map(Query::from).collect();
    assert_eq!(queries, world.splits.test);
}

/// The keys that verl's data loader and reward manager look for.
#[test]
fn a_verl_record_has_the_keys_that_verl_reads() {
    let world = world();
    let query = &world.splits.train[0];
    let record = VerlRecord::new(query, &world.catalogue, "films", "train").unwrap();
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["data_source"], "films");
    assert_eq!(json["prompt"][0]["role"], "user");
    assert_eq!(json["prompt"][0]["content"], query.conversation[0].content);
    let target = world.catalogue.index_of(&query.targets[0]).unwrap();
    assert_eq!(
        json["reward_model"]["ground_truth"][0],
        world.catalogue.get(target).title
    );
    assert_eq!(json["extra_info"]["query"], query.id.as_str());
}

#[test]
fn a_conversation_of_several_messages_comes_back_too() {
    let (folder, world) = (TempDir::new().unwrap(), world());
    let mut query = world.splits.test[0].clone();
    query
        .conversation
        .insert(0, Message::system("Answer in a box.\n"));
    query.class = "bundles".into();
    query.candidates = None;
    let path = folder.path().join("queries.jsonl");
    write_jsonl(&path, [&query]).unwrap();
    assert!(!fs::read_to_string(&path).unwrap().contains("candidates"));
    assert_eq!(
        read_queries(&path, &world.catalogue).unwrap(),
        [query.clone()]
    );
    let record = VerlRecord::new(&query, &world.catalogue, "films", "test").unwrap();
    assert_eq!(record.prompt.len(), 2);
    assert_eq!(Query::from(record), query);
}

#[test]
fn a_line_that_is_no_query_is_named() {
    let (folder, world) = (TempDir::new().unwrap(), world());
    let path = folder.path().join("queries.jsonl");
    write_jsonl(&path, &world.splits.train[..2]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let second = |from: &str, to: &str| {
        assert!(text.contains(from));
        fs::write(
            &path,
            format!(
                "{text}\n{}\n",
                text.lines().next().unwrap().replacen(from, to, 1)
            ),
        )
        .unwrap();
        read_queries(&path, &world.catalogue)
            .unwrap_err()
            .to_string()
            .replace(path.to_str().unwrap(), "queries.jsonl")
    };
    let message = second("\"conversation\":", "\"conversatoin\":");
    assert!(
        message.starts_with("line 4 of queries.jsonl: unknown field `conversatoin`"),
        "{message}"
    );
    assert_eq!(
        second("x", "x"),
        "line 4 of queries.jsonl: query \"train-00000\": the id comes twice"
    );
    assert!(second("{", "").starts_with("line 4 of queries.jsonl: "));
}

#[test]
fn each_fault_of_a_query_is_told() {
    let world = world();
    let query = world
        .splits
        .train
        .iter()
        .find(|query| query.history.len() > 1)
        .unwrap();
    let fault = |spoil: &dyn Fn(&mut Query)| {
        let mut spoilt = query.clone();
        spoil(&mut spoilt);
        spoilt.check(&world.catalogue).unwrap_err()
    };
    let stranger = ItemId::from("film-999");
    assert_eq!(query.check(&world.catalogue), Ok(()));
    assert_eq!(
        fault(&|query| query.conversation[0].content = " \n".into()),
        QueryFault::BlankPrompt
    );
    assert_eq!(
        fault(&|query| query.conversation.clear()),
        QueryFault::BlankPrompt
    );
    assert_eq!(
        fault(&|query| query.class = "".into()),
        QueryFault::BlankClass
    );
    assert_eq!(fault(&|query| query.id = " ".into()), QueryFault::BlankId);
    assert_eq!(fault(&|query| query.targets.clear()), QueryFault::NoTargets);
    let candidates = query.candidates.clone().unwrap();
    let with = |item: &ItemId| Some([&candidates[..], std::slice::from_ref(item)].concat());
    assert_eq!(
        fault(&|query| query.targets.push(stranger.clone())),
        QueryFault::TargetNotCandidate(stranger.clone())
    );
    assert_eq!(
        fault(&|query| query.targets.push(query.targets[0].clone())),
        QueryFault::DuplicateTarget(query.targets[0].clone())
    );
    assert_eq!(
        fault(&|query| query.candidates = with(&candidates[0])),
        QueryFault::DuplicateCandidate(candidates[0].clone())
    );
    assert_eq!(
        fault(&|query| query.history.push(candidates[1].clone())),
        QueryFault::CandidateInHistory(candidates[1].clone())
    );
    assert_eq!(
        fault(&|query| query.candidates = with(&stranger)),
        QueryFault::UnknownItem(stranger.clone())
    );
    // Without candidates every item of the catalogue may be chosen, so that targets are what is left to check.
    let open = |spoil: &dyn Fn(&mut Query)| {
        let mut open = Query {
            candidates: None,
            ..query.clone()
        };
        spoil(&mut open);
        open.check(&world.catalogue)
    };
    assert_eq!(open(&|_| ()), Ok(()));
    assert_eq!(
        open(&|query| query.targets = vec![stranger.clone()]),
        Err(QueryFault::UnknownItem(stranger.clone()))
    );
    assert_eq!(
        open(&|query| query.history.push(query.targets[0].clone())),
        Err(QueryFault::TargetInHistory(query.targets[0].clone()))
    );
}

#[test]
fn a_catalogue_with_an_id_twice_is_refused() {
    let (folder, world) = (TempDir::new().unwrap(), world());
    let path = folder.path().join("items.jsonl");
    let items = world.catalogue.items();
    write_jsonl(&path, items.iter().chain(&items[..1])).unwrap();
    let error = read_catalogue(&path).unwrap_err();
    assert!(
        matches!(error, Error::Items { .. }) && error.to_string().contains("film-000"),
        "{error}"
    );
}
