//! GGUF files: metadata and tensors, dequantised to f32.
//!
//! Nothing here needs libtorch. Every length a file claims is checked against the file before memory is set aside.

mod blocks;
#[cfg(feature = "torch")]
mod writer;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

pub use self::blocks::GgmlType;
#[cfg(feature = "torch")]
pub(crate) use self::writer::{Planned, write as write_gguf};
use crate::error::{Error, Result, io_fault};

/// A value of a GGUF file's metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum GgufValue {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// f32 or f64.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// UTF-8 text.
    Text(String),
    /// Values of one type.
    Array(Vec<GgufValue>),
}

/// Where a tensor lies and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufTensor {
    /// Rows first, as in PyTorch; the file lists the fastest dimension first.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub kind: GgmlType,
    /// Bytes from the start of the file.
    offset: u64,
    /// Bytes it takes.
    len: usize,
}

/// An open GGUF file of version 2 or 3, little-endian.
///
/// ```no_run
/// let file = rerec_policy::GgufFile::open("model.gguf".as_ref())?;
/// let name = file.metadata()["general.architecture"].clone();
/// let embedding: Vec<f32> = file.read("token_embd.weight")?;
/// println!("{name:?}: {} embedding weights", embedding.len());
/// # Ok::<(), rerec_policy::Error>(())
/// ```
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    file: File,
    metadata: BTreeMap<String, GgufValue>,
    tensors: BTreeMap<String, GgufTensor>,
}

const MAGIC: [u8; 4] = *b"GGUF";
const DEFAULT_ALIGNMENT: u64 = 32;
/// A huge page; files align to less.
const MAX_ALIGNMENT: u64 = 1 << 30;
/// Arrays within arrays within arrays: no writer goes so deep.
const MAX_DEPTH: usize = 4;
/// Most values of an array. A vocabulary has a few hundred thousand; in memory each takes more than the one byte that it may
/// take in the file.
const MAX_ARRAY: usize = 1 << 24;
/// Dimensions of a tensor, as in ggml.
const MAX_DIMENSIONS: u32 = 4;

impl GgufFile {
    /// Reads the metadata and the list of tensors.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::InvalidFile`] with the byte at which the file stops making sense; [`Error::InvalidTensor`] for
    /// a tensor of an unknown type, of an impossible shape, or that reaches beyond the end of the file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(io_fault(path))?;
        let len = file.metadata().map_err(io_fault(path))?.len();
        let mut header = Header {
            path,
            reader: BufReader::new(&file),
            at: 0,
            len,
        };
        let (metadata, listed) = header.read()?;
        let alignment = header.alignment(&metadata)?;
        // Offsets count from the first aligned byte behind the header.
        let start = header.at.next_multiple_of(alignment);
        let mut open = Self {
            path: path.to_owned(),
            file,
            metadata,
            tensors: BTreeMap::new(),
        };
        for (name, tensor) in listed {
            let tensor = tensor
                .place(start, alignment, len)
                .map_err(|what| open.fault(&name, what))?;
            if open.tensors.insert(name.clone(), tensor).is_some() {
                return Err(open.fault(&name, "is listed twice"));
            }
        }
        open.check_overlap()?;
        Ok(open)
    }

    fn check_overlap(&self) -> Result<()> {
        let mut places: Vec<_> = self.tensors.iter().collect();
        // In order of their bytes it is enough to compare neighbours. Gaps are legal: they pad to the alignment.
        places.sort_by_key(|(_, tensor)| (tensor.offset, tensor.len));
        for pair in places.windows(2) {
            let [(before, first), (name, second)] = pair else {
                continue;
            };
            if first.offset + first.len as u64 > second.offset {
                return Err(self.fault(name, format!("overlaps tensor {before}")));
            }
        }
        Ok(())
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Metadata by key.
    pub fn metadata(&self) -> &BTreeMap<String, GgufValue> {
        &self.metadata
    }

    /// Tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, GgufTensor> {
        &self.tensors
    }

    /// The numbers of a tensor, dequantised, rows first.
    ///
    /// # Errors
    /// [`Error::InvalidTensor`] when there is none of that name, [`Error::Io`].
    pub fn read(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| self.fault(name, "is missing"))?;
        let mut bytes = vec![0; tensor.len];
        self.file
            .read_exact_at(&mut bytes, tensor.offset)
            .map_err(io_fault(&self.path))?;
        Ok(tensor.kind.dequantise(&bytes))
    }

    pub(crate) fn fault(&self, name: &str, what: impl Into<String>) -> Error {
        Error::InvalidTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            what: what.into(),
        }
    }
}

/// A tensor as the header lists it, before anybody checked where it lies.
struct Listed {
    shape: Vec<u64>,
    kind: u32,
    offset: u64,
}

impl Listed {
    fn place(self, start: u64, alignment: u64, file_len: u64) -> Result<GgufTensor, String> {
        let kind = GgmlType::from_code(self.kind)
            .ok_or_else(|| format!("has the unsupported type {}", self.kind))?;
        // Sizes come from the file, so every product and sum is checked before anything is allocated by it.
        let numbers = self
            .shape
            .iter()
            .try_fold(1u64, |product, &d| product.checked_mul(d));
        // No block crosses the end of a row, the fastest dimension, which the file lists first.
        let row = self.shape.first().copied().unwrap_or(1);
        let block = kind.block_numbers() as u64;
        let Some(numbers) = numbers.filter(|_| row % block == 0) else {
            return Err(format!(
                "has the shape {:?}; rows of {kind:?} hold a multiple of {block} numbers",
                self.shape
            ));
        };
        if !self.offset.is_multiple_of(alignment) {
            let offset = self.offset;
            return Err(format!(
                "begins at byte {offset} of the data, not at a multiple of {alignment}"
            ));
        }
        let end = (numbers / block)
            .checked_mul(kind.block_bytes() as u64)
            .and_then(|len| Some((len, start.checked_add(self.offset)?.checked_add(len)?)));
        match end {
            Some((len, end)) if end <= file_len => Ok(GgufTensor {
                shape: self.shape.iter().rev().map(|&d| d as usize).collect(),
                kind,
                offset: start + self.offset,
                len: len as usize,
            }),
            _ => Err(format!(
                "reaches beyond the end of the file at byte {file_len}"
            )),
        }
    }
}

/// Metadata, and tensors in the order of the file.
type Contents = (BTreeMap<String, GgufValue>, Vec<(String, Listed)>);

/// The part before the tensors' numbers.
struct Header<'a> {
    path: &'a Path,
    reader: BufReader<&'a File>,
    at: u64,
    len: u64,
}

impl Header<'_> {
    fn read(&mut self) -> Result<Contents> {
        if self.bytes::<4>()? != MAGIC {
            return Err(self.fault("is not a GGUF file".to_owned()));
        }
        let version = self.u32()?;
        if !(2..=3).contains(&version) {
            return Err(self.fault(format!("version must be 2 or 3, got {version}")));
        }
        // The least that each takes up in the file: a tensor 8 + 4 + 4 + 8 bytes (length of its name, dimensions, type, offset),
        // a value 8 + 4 + 1 (length of its key, type, one byte).
        let tensors = self.count(24)?;
        let values = self.count(13)?;
        let mut metadata = BTreeMap::new();
        for _ in 0..values {
            let key = self.text()?;
            let kind = self.u32()?;
            let value = self.value(kind, 0)?;
            if metadata.contains_key(&key) {
                return Err(self.fault(format!("{key} is given twice")));
            }
            metadata.insert(key, value);
        }
        let listed = (0..tensors).map(|_| self.tensor()).collect::<Result<_>>()?;
        Ok((metadata, listed))
    }

    /// What every offset is a multiple of.
    fn alignment(&self, metadata: &BTreeMap<String, GgufValue>) -> Result<u64> {
        match metadata.get("general.alignment") {
            None => Ok(DEFAULT_ALIGNMENT),
            // A power of 2 is never 0, and below the limit no position in a file overflows when it is rounded up.
            Some(GgufValue::Unsigned(value))
                if value.is_power_of_two() && *value <= MAX_ALIGNMENT =>
            {
                Ok(*value)
            }
            Some(other) => Err(self.fault(format!(
                "general.alignment must be a power of 2 up to {MAX_ALIGNMENT}, got {other:?}"
            ))),
        }
    }

    fn tensor(&mut self) -> Result<(String, Listed)> {
        let name = self.text()?;
        let dimensions = self.u32()?;
        if dimensions > MAX_DIMENSIONS {
            return Err(self.fault(format!(
                "tensor {name} has {dimensions} dimensions, more than {MAX_DIMENSIONS}"
            )));
        }
        let shape = (0..dimensions).map(|_| self.u64()).collect::<Result<_>>()?;
        let (kind, offset) = (self.u32()?, self.u64()?);
        let listed = Listed {
            shape,
            kind,
            offset,
        };
        Ok((name, listed))
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<GgufValue> {
        Ok(match kind {
            0 => GgufValue::Unsigned(self.bytes::<1>()?[0].into()),
            1 => GgufValue::Signed(i8::from_le_bytes(self.bytes()?).into()),
            2 => GgufValue::Unsigned(u16::from_le_bytes(self.bytes()?).into()),
            3 => GgufValue::Signed(i16::from_le_bytes(self.bytes()?).into()),
            4 => GgufValue::Unsigned(self.u32()?.into()),
            5 => GgufValue::Signed(i32::from_le_bytes(self.bytes()?).into()),
            6 => GgufValue::Float(f32::from_le_bytes(self.bytes()?).into()),
            7 => GgufValue::Bool(self.bytes::<1>()?[0] != 0),
            8 => GgufValue::Text(self.text()?),
            9 if depth < MAX_DEPTH => {
                let kind = self.u32()?;
                let count = self.count(1)?;
                if count > MAX_ARRAY {
                    return Err(self.fault(format!(
                        "claims an array of {count} values, more than {MAX_ARRAY}"
                    )));
                }
                // Collecting results reserves nothing up front: memory grows with what is read, not with the claim.
                let values = (0..count).map(|_| self.value(kind, depth + 1));
                GgufValue::Array(values.collect::<Result<_>>()?)
            }
            10 => GgufValue::Unsigned(self.u64()?),
            11 => GgufValue::Signed(i64::from_le_bytes(self.bytes()?)),
            12 => GgufValue::Float(f64::from_le_bytes(self.bytes()?)),
            _ => return Err(self.fault(format!("has a value of the unknown type {kind}"))),
        })
    }

    fn text(&mut self) -> Result<String> {
        let len = self.count(1)?;
        let mut bytes = vec![0; len];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| self.fault("has text that is not UTF-8".to_owned()))
    }

    /// A number of things of at least `least` bytes each, which have to fit into what is left of the file.
    fn count(&mut self, least: u64) -> Result<usize> {
        let count = self.u64()?;
        match count.checked_mul(least) {
            Some(bytes) if bytes <= self.len - self.at => Ok(count as usize),
            _ => Err(self.fault(format!(
                "claims {count} entries, more than the rest of the file can hold"
            ))),
        }
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        if bytes.len() as u64 > self.len - self.at {
            return Err(self.fault("ends in the middle of its header".to_owned()));
        }
        self.reader.read_exact(bytes).map_err(io_fault(self.path))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn fault(&self, what: String) -> Error {
        Error::InvalidFile {
            path: self.path.to_owned(),
            what: format!("byte {}: {what}", self.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }

    /// One value and one tensor, `[2, 32]` of Q8_0: scale 0.5, numbers -16..16.
    fn small() -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
        text(&mut bytes, "general.architecture");
        bytes.extend(8u32.to_le_bytes());
        text(&mut bytes, "llama");
        text(&mut bytes, "w");
        bytes.extend(2u32.to_le_bytes());
        bytes.extend(32u64.to_le_bytes());
        bytes.extend(2u64.to_le_bytes());
        bytes.extend(8u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        for _ in 0..2 {
            bytes.extend(half::f16::from_f32(0.5).to_le_bytes());
            bytes.extend((-16i8..16).map(|q| q as u8));
        }
        bytes
    }

    fn open(bytes: &[u8]) -> Result<GgufFile> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        GgufFile::open(file.path())
    }

    #[test]
    fn metadata_and_numbers_are_read() {
        let file = open(&small()).unwrap();
        assert_eq!(
            file.metadata()["general.architecture"],
            GgufValue::Text("llama".to_owned())
        );
        assert_eq!(file.tensors()["w"].shape, [2, 32]);
        let row: Vec<f32> = (-16..16).map(|q| q as f32 * 0.5).collect();
        assert_eq!(file.read("w").unwrap(), [row.clone(), row].concat());
        let missing = file.read("v").unwrap_err().to_string();
        assert!(missing.contains("tensor v is missing"), "{missing}");
    }

    #[test]
    fn a_file_cut_short_anywhere_is_refused() {
        let whole = small();
        for len in 0..whole.len() {
            let refused = open(&whole[..len]).unwrap_err();
            assert!(
                matches!(
                    refused,
                    Error::InvalidFile { .. } | Error::InvalidTensor { .. }
                ),
                "{len}: {refused}"
            );
        }
    }

    #[test]
    fn claims_beyond_the_file_are_refused_before_memory_is_set_aside() {
        // The counts of tensors and of values, the length of the key, the second dimension.
        for at in [8, 16, 24, 24 + 8 + 20 + 4 + 8 + 5 + 8 + 1 + 4 + 8] {
            let mut lying = small();
            lying[at..at + 8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
            let refused = open(&lying).unwrap_err().to_string();
            assert!(
                ["more than the rest", "beyond the end", "has the shape"]
                    .iter()
                    .any(|part| refused.contains(part)),
                "{at}: {refused}"
            );
        }
    }
}
