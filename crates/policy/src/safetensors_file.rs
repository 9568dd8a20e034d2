//! Safetensors files: a header that lists tensors, then their bytes.
//!
//! Nothing here needs libtorch. Every length a file claims is checked against the file before memory is set aside.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use safetensors::Dtype;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::error::{Error, Result, io_fault};

/// Where a tensor lies and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsTensor {
    /// Rows first.
    pub shape: Vec<usize>,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Bytes from the start of the file.
    offset: u64,
    /// Bytes it takes.
    len: usize,
}

/// An open safetensors file whose tensors are read one at a time.
///
/// ```no_run
/// let file = rerec_policy::SafetensorsFile::open("model.safetensors".as_ref())?;
/// for (name, tensor) in file.tensors() {
///     println!("{name}: {} {:?}", tensor.dtype, tensor.shape);
/// }
/// # Ok::<(), rerec_policy::Error>(())
/// ```
#[derive(Debug)]
pub struct SafetensorsFile {
    path: PathBuf,
    file: File,
    tensors: BTreeMap<String, SafetensorsTensor>,
}

/// Longest header that is read, as in the format's reference implementation.
const MAX_HEADER: u64 = 100_000_000;

impl SafetensorsFile {
    /// Opens a file and checks that its header describes it: names once, no overlap, no gap, lengths that follow from shape and
    /// type, nothing behind the last tensor.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::InvalidFile`] or, for one tensor, [`Error::InvalidTensor`].
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(io_fault(path))?;
        let mut open = Self {
            path: path.to_owned(),
            file,
            tensors: BTreeMap::new(),
        };
        open.read_header()?;
        Ok(open)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, SafetensorsTensor> {
        &self.tensors
    }

    /// The little-endian bytes of a tensor, rows first.
    ///
    /// # Errors
    /// [`Error::InvalidTensor`] when there is none of that name, [`Error::Io`].
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let tensor = self.tensor(name)?;
        self.bytes(tensor.offset, tensor.len)
    }

    pub(crate) fn tensor(&self, name: &str) -> Result<&SafetensorsTensor> {
        let tensor = self.tensors.get(name);
        tensor.ok_or_else(|| self.tensor_fault(name, "is missing"))
    }

    pub(crate) fn tensor_fault(&self, name: &str, what: impl Into<String>) -> Error {
        Error::InvalidTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            what: what.into(),
        }
    }

    fn read_header(&mut self) -> Result<()> {
        let len = self.file.metadata().map_err(io_fault(&self.path))?.len();
        if len < 8 {
            return Err(self.fault(format!("has {len} bytes, too few for a header")));
        }
        let mut size = [0; 8];
        self.file
            .read_exact_at(&mut size, 0)
            .map_err(io_fault(&self.path))?;
        let size = u64::from_le_bytes(size);
        // Before memory is allocated for what the file claims.
        if size > MAX_HEADER.min(len - 8) {
            return Err(self.fault(format!(
                "claims a header of {size} bytes, but has {len} bytes in all"
            )));
        }
        let header = self.bytes(8, size as usize)?;
        // Descriptions stay raw JSON until each is parsed on its own, so that a fault names its tensor.
        let Listing(listed) =
            serde_json::from_slice(&header).map_err(|e| self.fault(format!("header: {e}")))?;
        let end = self.place(listed, 8 + size)?;
        if end != len {
            return Err(self.fault(format!("has {len} bytes, but its header describes {end}")));
        }
        Ok(())
    }

    /// Takes the listed tensors, whose bytes begin at `start`. Returns where they end.
    fn place(&mut self, listed: Vec<(String, Box<RawValue>)>, start: u64) -> Result<u64> {
        let mut entries = Vec::new();
        for (name, json) in listed {
            if name == "__metadata__" {
                serde_json::from_str::<BTreeMap<String, String>>(json.get())
                    .map_err(|e| self.fault(format!("__metadata__: {e}")))?;
                continue;
            }
            let entry: Entry = serde_json::from_str(json.get())
                .map_err(|e| self.tensor_fault(&name, format!("is badly described: {e}")))?;
            entries.push((name, entry));
        }
        // In order of their bytes, so that each has to begin where the one before ends: overlaps and gaps show at once. The end
        // is part of the key: an empty tensor goes before the one that begins at the same byte.
        entries.sort_by_key(|(_, entry)| entry.data_offsets);
        let mut end = start;
        for (name, entry) in entries {
            let tensor = entry
                .place(start, end)
                .map_err(|what| self.tensor_fault(&name, what))?;
            end += tensor.len as u64;
            if self.tensors.insert(name.clone(), tensor).is_some() {
                return Err(self.tensor_fault(&name, "is listed twice"));
            }
        }
        Ok(end)
    }

    fn bytes(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        // `len` was checked against the size of the file, so no claim of a header decides how much is allocated.
        let mut bytes = vec![0; len];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(io_fault(&self.path))?;
        Ok(bytes)
    }

    fn fault(&self, what: String) -> Error {
        Error::InvalidFile {
            path: self.path.clone(),
            what,
        }
    }
}

/// The header's entries as they stand there; a map would hide a name that is listed twice.
struct Listing(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Listing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ListingVisitor).map(Self)
    }
}

struct ListingVisitor;

impl<'de> Visitor<'de> for ListingVisitor {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that lists tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// A tensor as the header lists it.
#[derive(Deserialize)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl Entry {
    /// Checks that the tensor, relative to `start`, begins at `at` and has the length that its shape asks for.
    fn place(self, start: u64, at: u64) -> Result<SafetensorsTensor, String> {
        let Self {
            dtype,
            shape,
            data_offsets: (begin, end),
        } = self;
        if begin != at - start {
            return Err(format!(
                "begins at byte {begin} of the data, expected {}",
                at - start
            ));
        }
        // In bits, since some types are narrower than a byte; checked, since the shape is no more than a claim.
        let bits = shape
            .iter()
            .try_fold(dtype.bitsize(), |bits, &d| bits.checked_mul(d));
        let len = end.checked_sub(begin);
        match (bits, len.and_then(|len| len.checked_mul(8))) {
            (Some(bits), Some(claimed)) if bits as u64 == claimed => Ok(SafetensorsTensor {
                shape,
                dtype,
                offset: at,
                // Exact: `bits` equals a whole number of bytes.
                len: bits / 8,
            }),
            _ => Err(format!(
                "is {dtype} {shape:?}, which bytes {begin} to {end} of the data do not hold"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(header: &str, data: usize) -> Result<SafetensorsFile> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend((0..data).map(|byte| byte as u8));
        std::fs::write(file.path(), bytes).unwrap();
        SafetensorsFile::open(file.path())
    }

    #[test]
    fn tensors_are_read_in_any_order_of_their_names() {
        let header = r#"{"b":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},
            "__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}"#;
        let file = open(header, 8).unwrap();
        assert_eq!(file.read("a").unwrap(), [4, 5, 6, 7]);
        assert_eq!(file.read("b").unwrap(), [0, 1, 2, 3]);
        assert_eq!(file.tensors()["b"].shape, [1, 2]);
        assert_eq!(file.tensors()["b"].dtype, Dtype::F16);
    }

    #[test]
    fn headers_that_lie_are_refused_by_name() {
        let f32s = |shape: &str, begin: u64, end: u64| {
            format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
        };
        let one = |entry: &str| format!(r#"{{"w":{entry}}}"#);
        let two = |v: String, w: String| format!(r#"{{"v":{v},"w":{w}}}"#);
        let twice = |w: String| format!(r#"{{"w":{w},"w":{w}}}"#);
        for (header, expected) in [
            (
                two(f32s("[1]", 0, 4), f32s("[1]", 2, 6)),
                "tensor w begins at byte 2 of the data, expected 4",
            ),
            (
                two(f32s("[1]", 0, 4), f32s("[1]", 0, 4)),
                "tensor w begins at byte 0 of the data, expected 4",
            ),
            (
                one(&f32s("[1]", 4, 8)),
                "tensor w begins at byte 4 of the data, expected 0",
            ),
            (
                one(&f32s("[3]", 0, 8)),
                "tensor w is F32 [3], which bytes 0 to 8 of the data do not hold",
            ),
            (
                one(&f32s("[1]", 0, u64::MAX)),
                "tensor w is F32 [1], which bytes 0 to 18446744073709551615",
            ),
            (
                one(&f32s("[4294967296, 4294967296]", 0, 8)),
                "tensor w is F32 [4294967296, 4294967296], which",
            ),
            (
                one(&f32s("[2305843009213693952, 2]", 0, 8)),
                "tensor w is F32 [2305843009213693952, 2], which",
            ),
            (
                one(&f32s("[4]", 0, 16)),
                "has 71 bytes, but its header describes 79",
            ),
            (
                one(&f32s("[1]", 0, 4)),
                "has 70 bytes, but its header describes 66",
            ),
            (
                one(&f32s("[-2]", 0, 8)),
                "tensor w is badly described: invalid value: integer `-2`",
            ),
            (
                one(&f32s("[1e30]", 0, 8)),
                "tensor w is badly described: invalid type: floating point",
            ),
            (
                one(r#"{"dtype":"F33","shape":[2],"data_offsets":[0,8]}"#),
                "tensor w is badly described: unknown variant `F33`",
            ),
            (
                one(r#"{"dtype":"F32","shape":[2]}"#),
                "tensor w is badly described: missing field `data_offsets`",
            ),
            (
                one("8"),
                "tensor w is badly described: invalid type: integer `8`",
            ),
            (
                r#"{"__metadata__":{"format":1}}"#.to_owned(),
                "__metadata__: invalid type: integer `1`",
            ),
            (twice(f32s("[0]", 0, 0)), "tensor w is listed twice"),
            (
                "[]".to_owned(),
                "header: invalid type: sequence, expected an object that lists tensors",
            ),
            (r#"{"w":"#.to_owned(), "header: EOF while parsing"),
        ] {
            let refused = open(&header, 8).unwrap_err().to_string();
            assert!(refused.contains(expected), "{header}: {refused}");
        }
    }
}
