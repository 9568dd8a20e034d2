//! Parquet, by way of Arrow.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, FieldRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{Cell, Column, Each, Need, Place, Row, Table, open, places};
use crate::error::{Error, Result};
use crate::load_context::Progress;

/// Rows decoded at once.
const BATCH: usize = 1024;

pub(super) fn rows(table: &Table<'_>, columns: &[Column<'_>], each: &mut Each<'_>) -> Result<()> {
    let path = table.path;
    let (mut reader, places, total) = guarded(path, || reader(path, columns))?;
    let mut number = 0;
    // The decoder is guarded alone: what a reader of rows does is no fault of the file.
    while let Some(batch) = guarded(path, || reader.next().transpose().map_err(unreadable(path)))? {
        (table.context.progress)(Progress::Reading {
            path,
            done: number,
            total,
        });
        for row in 0..batch.num_rows() {
            number += 1;
            let place = Place::Row(number);
            let cell = |(column, place): (&Column<'_>, &Option<usize>)| match place {
                _ if column.need == Need::Rest => Ok(rest(&batch, &places, row)),
                Some(place) => cell(batch.column(*place).as_ref(), row),
                None => Ok(Cell::Missing),
            };
            let cells = columns.iter().zip(&places).map(cell);
            let cells = cells.collect::<Result<Vec<_>, _>>();
            let cells = cells.map_err(|kind| Error::Unreadable {
                path: path.to_owned(),
                cause: format!("{place}: a value of type {kind}, which is not supported"),
            })?;
            each(Row {
                path,
                place,
                columns,
                cells: &cells,
            })?;
        }
    }
    Ok(())
}

/// The cells of the columns that nobody asked for; what is of a type that cells do not have is left out.
fn rest(batch: &RecordBatch, places: &[Option<usize>], row: usize) -> Cell<'static> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).enumerate();
    let others = columns.filter(|(place, _)| !places.contains(&Some(*place)));
    let field = |(_, (field, column)): (usize, (&FieldRef, &ArrayRef))| {
        let value = cell(column.as_ref(), row).ok()?;
        Some((Cow::Owned(field.name().clone()), owned(value)))
    };
    Cell::Record(others.filter_map(field).collect())
}

/// A reader of the asked columns alone, where each stands in its batches, and how many rows there are.
fn reader(
    path: &Path,
    columns: &[Column<'_>],
) -> Result<(ParquetRecordBatchReader, Vec<Option<usize>>, u64)> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(open(path)?);
    let builder = builder.map_err(unreadable(path))?;
    let names: Vec<&str> = builder
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    let places = places(path, columns, &names)?;
    let mut asked: Vec<usize> = match columns.iter().any(|column| column.need == Need::Rest) {
        true => (0..names.len()).collect(),
        false => places.iter().flatten().copied().collect(),
    };
    // An id that is the title too is asked for twice; a projection holds each column once.
    asked.sort_unstable();
    asked.dedup();
    // A projection keeps the file's order.
    let within = |place: usize| asked.iter().position(|&other| other == place);
    let places = places.iter().map(|place| place.and_then(within)).collect();
    let rows = builder.metadata().file_metadata().num_rows().max(0) as u64;
    let mask = ProjectionMask::roots(builder.parquet_schema(), asked.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(BATCH).build();
    Ok((reader.map_err(unreadable(path))?, places, rows))
}

/// The decoder is known to panic on some files whose footer contradicts their pages. Such a file is the user's, and is
/// reported as any other that cannot be read.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    // Unwind safe, as the reader is dropped after a panic: the error ends the reading.
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(Error::Unreadable {
            path: path.to_owned(),
            cause: "its footer and its pages contradict each other".to_owned(),
        })
    })
}

fn unreadable<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Error {
    |error| Error::Unreadable {
        path: path.to_owned(),
        cause: error.to_string(),
    }
}

/// One value of an array, or the name of a type that no column of ours has.
fn cell(array: &dyn Array, row: usize) -> Result<Cell<'_>, String> {
    // Before the match: below a null the value buffer holds an arbitrary number or an empty text.
    if array.is_null(row) {
        return Ok(Cell::Missing);
    }
    macro_rules! primitive {
        ($kind:ty, $variant:ident) => {
            Cell::$variant(array.as_primitive::<$kind>().value(row).into())
        };
    }
    Ok(match array.data_type() {
        DataType::Null => Cell::Missing,
        DataType::Boolean => Cell::Flag(array.as_boolean().value(row)),
        DataType::Int8 => primitive!(Int8Type, Whole),
        DataType::Int16 => primitive!(Int16Type, Whole),
        DataType::Int32 => primitive!(Int32Type, Whole),
        DataType::Int64 => primitive!(Int64Type, Whole),
        DataType::UInt8 => primitive!(UInt8Type, Whole),
        DataType::UInt16 => primitive!(UInt16Type, Whole),
        DataType::UInt32 => primitive!(UInt32Type, Whole),
        DataType::UInt64 => primitive!(UInt64Type, Whole),
        DataType::Float32 => primitive!(Float32Type, Number),
        DataType::Float64 => primitive!(Float64Type, Number),
        DataType::Utf8 => Cell::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
        DataType::LargeUtf8 => Cell::Text(Cow::Borrowed(array.as_string::<i64>().value(row))),
        DataType::Utf8View => Cell::Text(Cow::Borrowed(array.as_string_view().value(row))),
        DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref())?,
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref())?,
        DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(row).as_ref())?,
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns().iter().zip(fields);
            let field = |(column, field): (&'_ ArrayRef, &FieldRef)| {
                Ok((
                    Cow::Owned(field.name().clone()),
                    owned(cell(column.as_ref(), row)?),
                ))
            };
            Cell::Record(columns.map(field).collect::<Result<_, String>>()?)
        }
        // pandas writes categorical columns as dictionaries: values once, keys for the rows.
        DataType::Dictionary(..) => {
            // Cut to the row first, as keys are made for all rows of an array at once.
            let one = array.slice(row, 1);
            let dictionary = one.as_any_dictionary();
            let key = dictionary.normalized_keys()[0];
            owned(cell(dictionary.values().as_ref(), key)?)
        }
        other => return Err(other.to_string()),
    })
}

/// The elements of a list: its array lives no longer than this call, so that they are owned.
fn list(elements: &dyn Array) -> Result<Cell<'static>, String> {
    let cells = (0..elements.len()).map(|row| Ok(owned(cell(elements, row)?)));
    Ok(Cell::List(cells.collect::<Result<_, String>>()?))
}

fn owned(cell: Cell<'_>) -> Cell<'static> {
    match cell {
        Cell::Missing => Cell::Missing,
        Cell::Flag(flag) => Cell::Flag(flag),
        Cell::Whole(number) => Cell::Whole(number),
        Cell::Number(number) => Cell::Number(number),
        Cell::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
        Cell::List(cells) => Cell::List(cells.into_iter().map(owned).collect()),
        Cell::Record(fields) => {
            let field = |(key, value): (Cow<'_, str>, Cell<'_>)| {
                (Cow::Owned(key.into_owned()), owned(value))
            };
            Cell::Record(fields.into_iter().map(field).collect())
        }
    }
}
