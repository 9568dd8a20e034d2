//! Reading files of one's own: queries as JSON Lines, ratings as CSV.
#![allow(missing_docs, clippy::expect_used)]

use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rerec_datasets::{CatalogueFile, Dataset, FilesConfig, QueryFiles, RatingsFile};

const ITEMS: usize = 5_000;

fn catalogue(folder: &Path) -> CatalogueFile {
    let mut table = "id,title,genres\n".to_owned();
    for item in 0..ITEMS {
        let _ = writeln!(
            table,
            "i{item},Film {item} (19{:02}),drama|comedy",
            item % 100
        );
    }
    let file = folder.join("items.csv");
    fs::write(&file, table).expect("a temporary folder can be written");
    CatalogueFile {
        file,
        attributes: [("genres".to_owned(), "genre".to_owned())].into(),
        ..CatalogueFile::default()
    }
}

/// Queries of 20 candidates, some 700 bytes each.
fn queries(folder: &Path, count: usize) -> QueryFiles {
    let mut lines = String::new();
    for query in 0..count {
        let candidates = (0..20).map(|place| format!("\"i{}\"", (query * 7 + place * 31) % ITEMS));
        let candidates: Vec<String> = candidates.collect();
        let _ = writeln!(
            lines,
            r#"{{"id":"q{query}","class":"explicit","conversation":[{{"role":"user","content":"{}"}}],"targets":[{}],"candidates":[{}]}}"#,
            "Recommend a film that is like none of these. ".repeat(10),
            candidates[query % 20],
            candidates.join(",")
        );
    }
    let train = folder.join(format!("train-{count}.jsonl"));
    fs::write(&train, lines).expect("a temporary folder can be written");
    QueryFiles {
        train,
        ..QueryFiles::default()
    }
}

fn ratings(folder: &Path, count: usize) -> RatingsFile {
    let mut table = "user,item,rating,time\n".to_owned();
    for rating in 0..count {
        let (user, item) = (rating / 50, rating * 37 % ITEMS);
        let _ = writeln!(table, "user{user},i{item},{}.0,1112486027", 1 + rating % 5);
    }
    let file = folder.join(format!("ratings-{count}.csv"));
    fs::write(&file, table).expect("a temporary folder can be written");
    RatingsFile {
        file,
        rating: Some("rating".to_owned()),
        ..RatingsFile::default()
    }
}

fn files(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let mut group = criterion.benchmark_group("files");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    let load =
        |config: &FilesConfig| Dataset::from_files(config).expect("the files are well-formed");
    for count in [1_000, 10_000, 100_000] {
        let config = FilesConfig {
            catalogue: catalogue(folder),
            ratings: None,
            queries: queries(folder, count),
        };
        group.throughput(Throughput::Elements(count as u64));
        let id = BenchmarkId::new("queries", count);
        group.bench_function(id, |bencher| bencher.iter(|| black_box(load(&config))));
    }
    for count in [10_000, 100_000, 1_000_000] {
        let config = FilesConfig {
            catalogue: catalogue(folder),
            ratings: Some(ratings(folder, count)),
            queries: queries(folder, 1),
        };
        group.throughput(Throughput::Elements(count as u64));
        let id = BenchmarkId::new("ratings", count);
        group.bench_function(id, |bencher| bencher.iter(|| black_box(load(&config))));
    }
    group.finish();
}

criterion_group!(benches, files);
criterion_main!(benches);
