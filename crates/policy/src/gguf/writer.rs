//! Writing GGUF files of version 3.

use std::path::Path;

use half::f16;

use super::{DEFAULT_ALIGNMENT, GgmlType, GgufValue, MAGIC};
use crate::error::{Error, Result};

/// A tensor to be written: its name, its shape with rows first, and how its numbers are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) kind: GgmlType,
}

impl Planned {
    fn numbers(&self) -> usize {
        self.shape.iter().product()
    }

    fn bytes(&self) -> u64 {
        (self.numbers() / self.kind.block_numbers() * self.kind.block_bytes()) as u64
    }
}

/// Writes metadata and tensors, whole or not at all. `read` gives the numbers of each tensor when its turn comes, so that no two are held at
/// once. Whole numbers are stored in 32 bits where they fit, as llama.cpp wants its sizes.
///
/// # Errors
/// [`Error::File`], and whatever `read` reports.
pub(crate) fn write(
    path: &Path,
    metadata: &[(String, GgufValue)],
    tensors: &[Planned],
    read: &mut dyn FnMut(&Planned) -> Result<Vec<f32>>,
) -> Result<()> {
    let header = header(metadata, tensors);
    rerec_files::write::<Error>(path, |file| {
        file.put(&header)?;
        for tensor in tensors {
            let mut bytes = encode(tensor.kind, &read(tensor)?);
            pad(&mut bytes);
            file.put(&bytes)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn header(metadata: &[(String, GgufValue)], tensors: &[Planned]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        put_text(&mut bytes, key);
        bytes.extend(code(value).to_le_bytes());
        put_value(&mut bytes, value);
    }
    let mut offset = 0u64;
    for tensor in tensors {
        put_text(&mut bytes, &tensor.name);
        bytes.extend((tensor.shape.len() as u32).to_le_bytes());
        // The fastest dimension first.
        let dimensions = tensor.shape.iter().rev();
        bytes.extend(dimensions.flat_map(|&size| (size as u64).to_le_bytes()));
        bytes.extend(tensor.kind.code().to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        offset += tensor.bytes().next_multiple_of(DEFAULT_ALIGNMENT);
    }
    pad(&mut bytes);
    bytes
}

/// Up to where the next tensor begins.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// The number of a value's type in the format.
fn code(value: &GgufValue) -> u32 {
    match value {
        GgufValue::Unsigned(number) if u32::try_from(*number).is_ok() => 4,
        GgufValue::Unsigned(_) => 10,
        GgufValue::Signed(number) if i32::try_from(*number).is_ok() => 5,
        GgufValue::Signed(_) => 11,
        GgufValue::Float(_) => 6,
        GgufValue::Bool(_) => 7,
        GgufValue::Text(_) => 8,
        GgufValue::Array(_) => 9,
    }
}

fn put_value(bytes: &mut Vec<u8>, value: &GgufValue) {
    match value {
        GgufValue::Unsigned(number) => match u32::try_from(*number) {
            Ok(small) => bytes.extend(small.to_le_bytes()),
            Err(_) => bytes.extend(number.to_le_bytes()),
        },
        GgufValue::Signed(number) => match i32::try_from(*number) {
            Ok(small) => bytes.extend(small.to_le_bytes()),
            Err(_) => bytes.extend(number.to_le_bytes()),
        },
        GgufValue::Float(number) => bytes.extend((*number as f32).to_le_bytes()),
        GgufValue::Bool(truth) => bytes.push(u8::from(*truth)),
        GgufValue::Text(text) => put_text(bytes, text),
        GgufValue::Array(values) => {
            // All of one type; of an empty one any will do.
            bytes.extend(values.first().map_or(8, code).to_le_bytes());
            bytes.extend((values.len() as u64).to_le_bytes());
            values.iter().for_each(|value| put_value(bytes, value));
        }
    }
}

/// Stores numbers in a type that can be written: F32, F16 or, in blocks of 32, Q8_0.
fn encode(kind: GgmlType, numbers: &[f32]) -> Vec<u8> {
    match kind {
        GgmlType::F16 => numbers
            .iter()
            .flat_map(|&x| f16::from_f32(x).to_le_bytes())
            .collect(),
        GgmlType::Q8_0 => numbers
            .chunks(kind.block_numbers())
            .flat_map(eight_bits)
            .collect(),
        _ => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

/// A scale of 16 bits, and the multiples of it nearest to the numbers, as llama.cpp quantises.
fn eight_bits(block: &[f32]) -> Vec<u8> {
    let largest = block.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut bytes = f16::from_f32(scale).to_le_bytes().to_vec();
    bytes.extend(block.iter().map(|x| (x * inverse).round() as i8 as u8));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GgufFile;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gguf");
        let metadata = [
            ("a.text", GgufValue::Text("é".to_owned())),
            ("a.size", GgufValue::Unsigned(7)),
            ("a.share", GgufValue::Float(0.5)),
            ("a.is", GgufValue::Bool(true)),
            (
                "a.list",
                GgufValue::Array(vec![GgufValue::Signed(-1), GgufValue::Signed(3)]),
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value));
        let planned = |name: &str, kind, shape: &[usize]| Planned {
            name: name.to_owned(),
            shape: shape.to_vec(),
            kind,
        };
        let tensors = [
            planned("f32", GgmlType::F32, &[3]),
            planned("f16", GgmlType::F16, &[2, 3]),
            planned("q8", GgmlType::Q8_0, &[2, 32]),
        ];
        // Halves and whole multiples of 1/127th of the largest are exact in all three.
        let numbers = |tensor: &Planned| {
            (0..tensor.numbers())
                .map(|n| n as f32 * 0.5)
                .collect::<Vec<_>>()
        };
        write(&path, &metadata, &tensors, &mut |tensor| {
            Ok(numbers(tensor))
        })
        .unwrap();
        let file = GgufFile::open(&path).unwrap();
        for (key, value) in &metadata {
            assert_eq!(&file.metadata()[key], value);
        }
        for tensor in &tensors[..2] {
            assert_eq!(file.tensors()[&tensor.name].shape, tensor.shape);
            assert_eq!(file.read(&tensor.name).unwrap(), numbers(tensor));
        }
        let read = file.read("q8").unwrap();
        for (read, written) in read.iter().zip(numbers(&tensors[2])) {
            // Half a step of the block's scale.
            assert!(
                (read - written).abs() <= 31.5 / 127.0 / 2.0 + 0.01,
                "{read} {written}"
            );
        }
    }

    #[test]
    fn blocks_of_eight_bits_are_those_of_the_format() {
        let mut block = [0.0f32; 32];
        (block[0], block[1], block[2]) = (127.0, -1.5, 0.4);
        let bytes = eight_bits(&block);
        assert_eq!(bytes.len(), 34);
        // The scale is 1; half a step rounds away from 0.
        assert_eq!(bytes[..2], f16::from_f32(1.0).to_le_bytes());
        assert_eq!(bytes[2..5], [127, -2i8 as u8, 0]);
        assert_eq!(eight_bits(&[0.0; 32]), [0; 34]);
    }
}
