//! Writing Parquet.

use std::path::Path;
use std::sync::Arc;

use arrow_json::ReaderBuilder;
use arrow_json::reader::{Decoder, infer_json_schema_from_iterator};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema};
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
            records("attributes", vec![text("relation"), text("value")]),
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
    let mut more: Vec<&FieldRef> = more.iter().filter(|field| is_storable(field)).collect();
    // They come from a map without an order.
    more.sort_by_key(|field| field.name());
    for field in more {
        let known = fields.iter_mut().find(|known| known.name() == field.name());
        match (
            known.as_ref().map(|known| known.data_type()),
            field.data_type(),
        ) {
            (None, _) => fields.push(field.as_ref().clone()),
            (Some(DataType::Struct(inner)), DataType::Struct(more)) => {
                let inner = inner.iter().map(|field| field.as_ref().clone()).collect();
                let inner = DataType::Struct(merged(inner, more).into());
                if let Some(known) = known {
                    known.set_data_type(inner);
                }
            }
            _ => {}
        }
    }
    fields
}

/// Whether Parquet has such a column: none of nothing but nulls, and no record without fields.
fn is_storable(field: &Field) -> bool {
    match field.data_type() {
        DataType::Null => false,
        DataType::Struct(fields) => {
            !fields.is_empty() && fields.iter().all(|field| is_storable(field))
        }
        DataType::List(element) => is_storable(element),
        _ => true,
    }
}
