//! NumPy's array format, for matrices of floats.
//!
//! The header is a Python literal, for which general parsers recurse and pull in big integers;
//! the three keys that a matrix has need neither.

use ndarray::{Array2, ArrayView2, ShapeBuilder};

use super::scalar::Scalar;
use crate::fault::{Fault, Place};

const MAGIC: &[u8] = b"\x93NUMPY";

/// A `[rows, d]` matrix.
pub(super) fn parse(bytes: &[u8]) -> Result<Array2<f32>, Fault> {
    let (header, data) =
        split(bytes).ok_or_else(|| header_fault("not a npy file, or cut short"))?;
    let header = std::str::from_utf8(header).map_err(|_| header_fault("not text"))?;
    let Header {
        scalar,
        fortran_order,
        shape: [rows, columns],
    } = Header::parse(header)?;
    // Checked before memory is allocated: the header is the file's word alone.
    let expected = rows
        .checked_mul(columns)
        .and_then(|values| values.checked_mul(scalar.size()));
    if expected != Some(data.len()) {
        let got = data.len();
        let reason = format!("{got} bytes do not fit shape ({rows}, {columns}) of {scalar:?}");
        return Err(Fault::new(Place::Data, reason));
    }
    // `set_f` says how the values lie; the matrix is the same either way.
    Array2::from_shape_vec((rows, columns).set_f(fortran_order), scalar.decode(data))
        .map_err(|error| Fault::new(Place::Data, error.to_string()))
}

pub(super) fn write(values: ArrayView2<'_, f32>) -> Vec<u8> {
    let (rows, columns) = values.dim();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // Magic, version, length and header are a multiple of 64 bytes, the last of them a line break.
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    // Two numbers of 20 digits at most: version 1 with its two bytes of length will always do.
    let length = (header.len() as u16).to_le_bytes();
    let mut bytes = [MAGIC, &[1, 0], &length, header.as_bytes()].concat();
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// The header's text and the data.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (version, rest) = bytes.strip_prefix(MAGIC)?.split_at_checked(2)?;
    let (length, rest) = match version {
        [1, _] => rest
            .split_first_chunk()
            .map(|(n, rest)| (u16::from_le_bytes(*n).into(), rest))?,
        // These versions have four bytes of length.
        [2 | 3, _] => rest
            .split_first_chunk()
            .map(|(n, rest)| (u32::from_le_bytes(*n), rest))?,
        _ => return None,
    };
    rest.split_at_checked(usize::try_from(length).ok()?)
}

struct Header {
    scalar: Scalar,
    fortran_order: bool,
    shape: [usize; 2],
}

impl Header {
    fn parse(text: &str) -> Result<Self, Fault> {
        let inner = text
            .trim()
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let mut rest = inner
            .ok_or_else(|| header_fault("not a dictionary"))?
            .trim();
        let (mut scalar, mut fortran_order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest).ok_or_else(|| header_fault("expected a quoted key"))?;
            let after = after.trim_start().strip_prefix(':');
            let value = after
                .ok_or_else(|| header_fault(format!("no value for `{key}`")))?
                .trim();
            // Only a shape holds commas of its own.
            let end = match value.find(')').filter(|_| value.starts_with('(')) {
                Some(bracket) => bracket + 1,
                None => value.find(',').unwrap_or(value.len()),
            };
            let (value, after) = value.split_at(end);
            match key {
                "descr" => scalar = Some(dtype(value.trim())?),
                "fortran_order" => fortran_order = Some(boolean(value.trim())?),
                "shape" => shape = Some(dimensions(value)?),
                _ => return Err(header_fault(format!("unknown key `{key}`"))),
            }
            let after = after.trim_start();
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
        }
        let missing = |key| move || header_fault(format!("no `{key}`"));
        Ok(Self {
            scalar: scalar.ok_or_else(missing("descr"))?,
            fortran_order: fortran_order.ok_or_else(missing("fortran_order"))?,
            shape: shape.ok_or_else(missing("shape"))?,
        })
    }
}

fn header_fault(reason: impl Into<String>) -> Fault {
    Fault::new(Place::Header, reason)
}

/// What stands between quotes, and the rest.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text
        .chars()
        .next()
        .filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn dtype(value: &str) -> Result<Scalar, Fault> {
    match quoted(value) {
        Some(("<f2", "")) => Ok(Scalar::F16),
        Some(("<f4", "")) => Ok(Scalar::F32),
        Some(("<f8", "")) => Ok(Scalar::F64),
        _ => Err(header_fault(format!(
            "dtype {value}, need '<f2', '<f4' or '<f8'"
        ))),
    }
}

fn boolean(value: &str) -> Result<bool, Fault> {
    match value {
        "True" => Ok(true),
        "False" => Ok(false),
        _ => Err(header_fault(format!(
            "fortran_order {value}, need True or False"
        ))),
    }
}

fn dimensions(value: &str) -> Result<[usize; 2], Fault> {
    let inner = value
        .strip_prefix('(')
        .and_then(|text| text.strip_suffix(')'));
    let numbers = inner.map(|text| text.strip_suffix(',').unwrap_or(text).split(','));
    let numbers = numbers.and_then(|numbers| numbers.map(|n| n.trim().parse().ok()).collect());
    let shape: Option<[usize; 2]> = numbers.and_then(|numbers: Vec<usize>| numbers.try_into().ok());
    shape.ok_or_else(|| header_fault(format!("shape {value}, need (rows, d)")))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    fn message(bytes: &[u8]) -> String {
        let fault = parse(bytes).unwrap_err();
        format!("{}: {}", fault.place, fault.reason)
    }

    #[test]
    fn what_is_written_is_read() {
        let values = array![[1.5, -2.0, 1e-30], [f32::MAX, 0.0, 3.25]];
        let bytes = write(values.view());
        assert_eq!(parse(&bytes).unwrap(), values);
        assert_eq!((bytes.len() - 24) % 64, 0);
    }

    #[test]
    fn orders_and_types() {
        let data: Vec<u8> = [1.0f64, 2.0, 3.0, 4.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let read = |order| {
            let header =
                format!("{{\"descr\": '<f8', 'fortran_order': {order}, 'shape': (2, 2)}}\n");
            parse(&file(&header, &data)).unwrap()
        };
        assert_eq!(read("False"), array![[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(read("True"), array![[1.0, 3.0], [2.0, 4.0]]);
        let half = file(
            "{'shape': (1, 1), 'descr': '<f2', 'fortran_order': False, }",
            &[0, 0x3e],
        );
        assert_eq!(parse(&half).unwrap(), array![[1.5]]);
    }

    #[test]
    fn a_header_that_lies_is_found_out() {
        let header = |descr: &str, shape: &str| {
            format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")
        };
        let with = |descr, shape, data: &[u8]| message(&file(&header(descr, shape), data));
        assert_eq!(
            with("'<f4'", "(2, 1)", &[0; 4]),
            "data: 4 bytes do not fit shape (2, 1) of F32"
        );
        assert_eq!(
            with("'<f4'", "(1, 1)", &[0; 5]),
            "data: 5 bytes do not fit shape (1, 1) of F32"
        );
        let huge = "(4611686018427387904, 8)";
        assert!(with("'<f4'", huge, &[]).starts_with("data: 0 bytes do not fit shape"));
        assert_eq!(
            with("'>f4'", "(1, 1)", &[0; 4]),
            "header: dtype '>f4', need '<f2', '<f4' or '<f8'"
        );
        assert_eq!(
            with("'<i4'", "(1, 1)", &[0; 4]),
            "header: dtype '<i4', need '<f2', '<f4' or '<f8'"
        );
        assert_eq!(
            with("'<f4'", "(4,)", &[0; 16]),
            "header: shape (4,), need (rows, d)"
        );
        assert_eq!(
            with("'<f4'", "(-1, 2)", &[]),
            "header: shape (-1, 2), need (rows, d)"
        );
        assert_eq!(
            message(b"PK\x03\x04"),
            "header: not a npy file, or cut short"
        );
        assert_eq!(
            message(&file("{'descr': '<f4', }", &[])),
            "header: no `fortran_order`"
        );
        let mut cut = file(&header("'<f4'", "(1, 1)"), &[]);
        cut.truncate(30);
        assert_eq!(message(&cut), "header: not a npy file, or cut short");
    }
}
