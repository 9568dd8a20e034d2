//! Parquet files, whole and damaged.
#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StructBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, StructArray,
};
use arrow_schema::{DataType, Field, Fields};
use parquet::arrow::ArrowWriter;
use rerec_datasets::{
    CatalogueFile, DataSource, Dataset, FilesConfig, Format, VerlConfig, WorldConfig,
};
use tempfile::TempDir;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A list of texts a row.
fn texts(rows: &[&[&str]]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        lists.append_value(row.iter().map(Some));
    }
    Arc::new(lists.finish())
}

/// One user message a row, as pandas writes lists of dictionaries.
fn prompts(rows: &[&str]) -> ArrayRef {
    let fields: Fields = ["role", "content"]
        .map(|name| Field::new(name, DataType::Utf8, true))
        .into_iter()
        .collect();
    let mut lists = ListBuilder::new(StructBuilder::from_fields(fields, rows.len()));
    for row in rows {
        let message = lists.values();
        message
            .field_builder::<StringBuilder>(0)
            .unwrap()
            .append_value("user");
        message
            .field_builder::<StringBuilder>(1)
            .unwrap()
            .append_value(row);
        message.append(true);
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn record(name: &str, array: ArrayRef) -> ArrayRef {
    let field = Arc::new(Field::new(name, array.data_type().clone(), true));
    Arc::new(StructArray::from(vec![(field, array)]))
}

fn three_files(folder: &Path) {
    let genres: DictionaryArray<Int32Type> = ["rice|saffron", "soup", "soup"].into_iter().collect();
    write(
        &folder.join("items.parquet"),
        vec![
            ("id", Arc::new(Int64Array::from(vec![7, 8, 9])) as ArrayRef),
            (
                "title",
                Arc::new(StringArray::from(vec!["Rice", "Soup", "Broth"])),
            ),
            ("genre", Arc::new(genres)),
            // A column of numbers with a gap has become one of floating-point numbers.
            (
                "year",
                Arc::new(Float64Array::from(vec![Some(1999.0), None, None])),
            ),
        ],
    );
    write(
        &folder.join("ratings.parquet"),
        vec![
            (
                "user",
                Arc::new(Float64Array::from(vec![1.0, 2.0])) as ArrayRef,
            ),
            ("item", Arc::new(Int64Array::from(vec![7, 9]))),
            ("stars", Arc::new(Float64Array::from(vec![5.0, 2.5]))),
        ],
    );
    write(
        &folder.join("train.parquet"),
        vec![
            (
                "id",
                Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef,
            ),
            ("conversation", prompts(&["Rice?", "Soup?"])),
            ("targets", texts(&[&["7"], &["8", "9"]])),
            ("candidates", texts(&[&["7", "8"], &["9", "8"]])),
        ],
    );
}

fn load(folder: &Path) -> Result<Dataset, String> {
    let at = folder.to_str().unwrap();
    let config = r#"
        catalogue = { file = "{}/items.parquet", attributes = { genre = "genre" } }
        ratings = { file = "{}/ratings.parquet", rating = "stars" }
        queries = { train = "{}/train.parquet" }
    "#;
    let config: FilesConfig = toml::from_str(&config.replace("{}", at)).unwrap();
    let dataset = DataSource::Files(config).load(0);
    dataset.map_err(|error| error.to_string().replace(at, "."))
}

#[test]
fn three_parquet_files_make_a_dataset() {
    let folder = TempDir::new().unwrap();
    three_files(folder.path());
    let dataset = load(folder.path()).unwrap();
    assert_eq!(dataset.catalogue.items()[0].attributes.len(), 2);
    assert_eq!(dataset.catalogue.items()[0].year, Some(1999));
    assert_eq!(dataset.ratings[1].user, "2");
    assert!(dataset.choices().eq([("1", "7")]));
    let query = &dataset.splits.train[1];
    assert_eq!(query.conversation[0].content, "Soup?");
    assert_eq!(query.targets, ["8", "9"]);
    assert_eq!(query.candidates.as_ref().unwrap()[0], "9");
}

#[test]
fn records_of_verl_are_read_from_parquet() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("train.parquet");
    write(
        &path,
        vec![
            (
                "data_source",
                Arc::new(StringArray::from(vec!["food"])) as ArrayRef,
            ),
            ("prompt", prompts(&["Rice?"])),
            ("reward_model", record("ground_truth", texts(&[&["Rice"]]))),
            (
                "extra_info",
                record("index", Arc::new(Int64Array::from(vec![4]))),
            ),
        ],
    );
    let config: VerlConfig = toml::from_str(&format!("train = {path:?}")).unwrap();
    let dataset = Dataset::from_verl(&config).unwrap();
    let query = &dataset.splits.train[0];
    assert_eq!(
        (query.id.as_str(), query.class.label()),
        ("train-4", "food")
    );
    assert_eq!(query.targets, ["Rice"]);
}

#[test]
fn faults_name_row_and_column() {
    let folder = TempDir::new().unwrap();
    three_files(folder.path());
    let nan = vec![
        ("user", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("item", Arc::new(Int64Array::from(vec![7, 9]))),
        ("stars", Arc::new(Float64Array::from(vec![5.0, f64::NAN]))),
    ];
    write(&folder.path().join("ratings.parquet"), nan);
    assert_eq!(
        load(folder.path()).unwrap_err(),
        "row 2 of ./ratings.parquet: stars must be a number from 1 to 5, got NaN"
    );
    let unnamed = vec![("who", Arc::new(Int64Array::from(vec![1])) as ArrayRef)];
    write(&folder.path().join("ratings.parquet"), unnamed);
    assert_eq!(
        load(folder.path()).unwrap_err(),
        "./ratings.parquet has no column \"user\"; its columns are who"
    );
}

/// Whatever byte of a file is wrong, reading ends: with an error, or with what the file can still be taken for.
#[test]
fn no_damaged_file_ends_the_program() {
    let folder = TempDir::new().unwrap();
    three_files(folder.path());
    let path = folder.path().join("train.parquet");
    let whole = fs::read(&path).unwrap();
    for end in (0..whole.len()).step_by(7) {
        fs::write(&path, &whole[..end]).unwrap();
        let error = load(folder.path()).unwrap_err();
        assert!(
            error.starts_with("./train.parquet cannot be read: "),
            "{error}"
        );
    }
    let mut refused = 0;
    for position in (0..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0xa5;
        fs::write(&path, &damaged).unwrap();
        refused += usize::from(load(folder.path()).is_err());
    }
    assert!(
        refused > whole.len() / 12,
        "{refused} of {}",
        whole.len() / 3
    );
}

fn world() -> Dataset {
    let mut config = WorldConfig::default();
    // More than are written at once.
    (
        config.queries.train,
        config.queries.validation,
        config.queries.test,
    ) = (5_000, 10, 10);
    Dataset::quickstart(4, &config).unwrap()
}

#[test]
fn what_is_written_as_parquet_is_read_as_it_was() {
    let (folder, world) = (TempDir::new().unwrap(), world());
    world
        .write(folder.path(), Format::Parquet, "world")
        .unwrap();
    let files = world.files_in(folder.path(), Format::Parquet).unwrap();
    let again = Dataset::from_files(&files).unwrap();
    assert_eq!(again.splits, world.splits);
    assert_eq!(again.catalogue.items(), world.catalogue.items());
    assert_eq!(again.ratings, world.ratings);
}

#[test]
fn records_written_for_verl_are_read_as_the_same_queries() {
    let (folder, world) = (TempDir::new().unwrap(), world());
    // The catalogue is not among verl's files; its queries are overwritten by the records, which have the same names.
    for format in [Format::Parquet, Format::VerlParquet] {
        world.write(folder.path(), format, "world").unwrap();
    }
    let at = |name: &str| folder.path().join(name);
    let config = VerlConfig {
        train: at("train.parquet"),
        validation: Some(at("validation.parquet")),
        test: Some(at("test.parquet")),
        catalogue: Some(CatalogueFile {
            file: at("catalogue.parquet"),
            ..CatalogueFile::default()
        }),
        ratings: None,
    };
    let again = DataSource::Verl(config).load(0).unwrap();
    assert_eq!(again.splits, world.splits);
}

#[test]
fn further_columns_of_verl_go_through_parquet() {
    let folder = TempDir::new().unwrap();
    let from = folder.path().join("from.jsonl");
    let record = |index: usize, more: &str| {
        format!(
            r#"{{"prompt": [{{"role": "user", "content": "Rice {index}?"}}], "data_source": "food", "reward_model": {{"ground_truth": ["Rice"]}}, "extra_info": {{"index": {index}, "none": {{}}{more}}}}}"#
        )
    };
    let records = [
        record(0, r#", "tool": {"name": "find"}, "level": 1"#),
        record(1, r#", "level": "two""#),
    ];
    fs::write(&from, records.join("\n")).unwrap();
    let load = |path: &Path| {
        let config: VerlConfig = toml::from_str(&format!("train = {path:?}")).unwrap();
        Dataset::from_verl(&config).unwrap()
    };
    let dataset = load(&from);
    dataset
        .write(folder.path(), Format::VerlParquet, "other")
        .unwrap();
    let again = load(&folder.path().join("train.parquet"));
    assert_eq!(again.splits, dataset.splits);
    let first = &again.extra[&again.splits.train[0].id];
    assert_eq!(first["data_source"], "food");
    // A column of numbers and texts is one of texts.
    let extra = serde_json::json!({"index": 0, "level": "1", "tool": {"name": "find"}});
    assert_eq!(first["extra_info"], extra);
    let second = &again.extra[&again.splits.train[1].id];
    assert_eq!(second["extra_info"]["level"], "two");
}
