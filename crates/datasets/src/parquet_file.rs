//! Writing Parquet.

use std::path::Path;
use std::sync::Arc;

use arrow_json::ReaderBuilder;
use arrow_json::reader::{Decoder, infer_json_schema_from_iterator};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use rerec_files::HashedFile;
use rerec_rewards::Item;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::dataset::Rating;
use crate::error::{Error, Result};
use crate::query::Query;
use crate::verl::VerlRecord;

/// Rows held at once.
const BATCH: usize = 4096;

/// A record with a fixed layout of columns.
pub(crate) trait Columns: Serialize {
    fn columns() -> Vec<Field>;
}

impl<T: Columns> Columns for &T {
    fn columns() -> Vec<Field> {
        T::columns()
    }
}

/// Writes one row for each record; the file appears whole or not at all.
pub(crate) fn write<T: Columns>(
    path: &Path,
    records: impl Iterator<Item = Result<T>>,
) -> Result<()> {
    // A fixed schema, not one inferred from the records: a split without histories would get
    // another type of column than the next.
    write_columns(path, T::columns(), records)
}

/// As [`write`], with these columns.
pub(crate) fn write_columns<T: Serialize>(
    path: &Path,
    columns: Vec<Field>,
    records: impl Iterator<Item = Result<T>>,
) -> Result<()> {
    let schema = Arc::new(Schema::new(columns));
    let decoder = ReaderBuilder::new(schema.clone())
        .with_batch_size(BATCH)
        // A column of numbers and texts is one of texts.
        .with_coerce_primitive(true);
    let mut decoder = decoder.build_decoder().map_err(arrow_fault(path))?;
    let written = rerec_files::write(path, |file| {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let writer = ArrowWriter::try_new(file, schema, Some(properties.build()));
        let mut writer = writer.map_err(parquet_fault(path))?;
        let mut rows = Vec::with_capacity(BATCH);
        for record in records {
            rows.push(record?);
            if rows.len() == BATCH {
                put(path, &mut decoder, &mut writer, &mut rows)?;
            }
        }
        put(path, &mut decoder, &mut writer, &mut rows)?;
        writer.close().map_err(parquet_fault(path)).map(drop)
    });
    written.map(drop)
}

/// Writes the rows and clears them.
fn put<T: Serialize>(
    path: &Path,
    decoder: &mut Decoder,
    writer: &mut ArrowWriter<&mut HashedFile>,
    rows: &mut Vec<T>,
) -> Result<()> {
    decoder.serialize(rows).map_err(arrow_fault(path))?;
    rows.clear();
    if let Some(batch) = decoder.flush().map_err(arrow_fault(path))? {
        writer.write(&batch).map_err(parquet_fault(path))?;
    }
    Ok(())
}

fn arrow_fault(path: &Path) -> impl Fn(ArrowError) -> Error {
    let path = path.to_owned();
    move |error| Error::Unwritable {
        path: path.clone(),
        cause: error.to_string(),
    }
}

fn parquet_fault(path: &Path) -> impl Fn(ParquetError) -> Error {
    let path = path.to_owned();
    move |error| Error::Unwritable {
        path: path.clone(),
        cause: error.to_string(),
    }
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn list(name: &str, element: DataType) -> Field {
    // `element` is the name that Parquet gives to what a list holds.
    let element = Field::new("element", element, true);
    Field::new(name, DataType::List(Arc::new(element)), true)
}

fn texts(name: &str) -> Field {
    list(name, DataType::Utf8)
}

fn record(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(fields.into()), false)
}

fn records(name: &str, fields: Vec<Field>) -> Field {
    list(name, DataType::Struct(fields.into()))
}

fn attributes(name: &str) -> Field {
    records(name, vec![text("relation"), text("value")])
}

fn messages(name: &str) -> Field {
    records(name, vec![text("role"), text("content")])
}

impl Columns for Item {
    fn columns() -> Vec<Field> {
        vec![
            text("id"),
            text("title"),
            texts("aliases"),
            Field::new("year", DataType::UInt16, true),
            attributes("attributes"),
        ]
    }
}

impl Columns for Rating {
    fn columns() -> Vec<Field> {
        let rating = Field::new("rating", DataType::Float64, false);
        let time = Field::new("time", DataType::Int64, true);
        vec![text("user"), text("item"), rating, time]
    }
}

impl Columns for Query {
    fn columns() -> Vec<Field> {
        vec![
            text("id"),
            text("class"),
            messages("conversation"),
            texts("targets"),
            texts("candidates"),
            attributes("conditions"),
            texts("history"),
            Field::new("user", DataType::Utf8, true),
            Field::new("time", DataType::Int64, true),
        ]
    }
}

impl Columns for VerlRecord {
    fn columns() -> Vec<Field> {
        let reward_model = vec![text("style"), texts("ground_truth")];
        let extra_info = vec![
            text("split"),
            text("query"),
            text("class"),
            texts("targets"),
            texts("candidates"),
            attributes("query_conditions"),
            texts("history"),
            Field::new("user", DataType::Utf8, true),
            Field::new("time", DataType::Int64, true),
        ];
        vec![
            text("data_source"),
            messages("prompt"),
            text("ability"),
            record("reward_model", reward_model),
            record("extra_info", extra_info),
        ]
    }
}

/// The columns of records for verl that hold these too: what a query says has the types of [`VerlRecord`], the rest those of its values.
pub(crate) fn verl_columns<'e>(
    path: &Path,
    extra: impl Iterator<Item = &'e Map<String, Value>>,
) -> Result<Vec<Field>> {
    let values = extra.map(|extra| Ok(Value::Object(extra.clone())));
    let inferred = infer_json_schema_from_iterator(values).map_err(arrow_fault(path))?;
    Ok(merged(VerlRecord::columns(), inferred.fields()))
}

/// The fields with those that they lack, by name; records are merged within.
fn merged(mut fields: Vec<Field>, more: &Fields) -> Vec<Field> {
    for field in storable(more) {
        let known = fields.iter_mut().find(|known| known.name() == field.name());
        let Some(known) = known else {
            fields.push(field);
            continue;
        };
        if let (DataType::Struct(inner), DataType::Struct(more)) =
            (known.data_type(), field.data_type())
        {
            let inner = inner.iter().map(|field| field.as_ref().clone()).collect();
            known.set_data_type(DataType::Struct(merged(inner, more).into()));
        }
    }
    fields
}

/// The fields that Parquet has columns for, by name: none of nothing but nulls, and no record without fields.
fn storable(fields: &Fields) -> Vec<Field> {
    let fields = fields.iter().map(|field| field.as_ref().clone());
    let mut storable: Vec<Field> = fields
        .filter_map(|field| {
            let kind = storable_type(field.data_type())?;
            Some(field.with_data_type(kind))
        })
        .collect();
    // They come from a map without an order.
    storable.sort_by(|a, b| a.name().cmp(b.name()));
    storable
}

fn storable_type(kind: &DataType) -> Option<DataType> {
    match kind {
        DataType::Null => None,
        DataType::Struct(fields) => {
            let fields = storable(fields);
            (!fields.is_empty()).then(|| DataType::Struct(fields.into()))
        }
        DataType::List(element) => {
            let kind = storable_type(element.data_type())?;
            let element = element.as_ref().clone().with_data_type(kind);
            Some(DataType::List(Arc::new(element)))
        }
        kind => Some(kind.clone()),
    }
}
