//! Tensors in safetensors files.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use safetensors::{
    Dtype,
    tensor::{Metadata, View},
};
use serde::Deserialize;
use tch::{Kind, Tensor};

use crate::error::{Error, Result};

/// One f32 tensor, ready to be written.
struct Plain {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Plain {
    fn new(tensor: &Tensor) -> Result<Self> {
        let tensor = tensor.f_detach()?.f_contiguous()?;
        let count = tensor.numel();
        let mut bytes = vec![0; count * size_of::<f32>()];
        tensor.f_copy_data_u8(&mut bytes, count)?;
        Ok(Self {
            shape: tensor.size().iter().map(|&d| d as usize).collect(),
            bytes,
        })
    }
}

impl View for &Plain {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes f32 tensors by name.
pub(super) fn write<'a>(
    path: &Path,
    tensors: impl Iterator<Item = (&'a str, &'a Tensor)>,
) -> Result<()> {
    let plain: BTreeMap<&str, Plain> = tensors
        .map(|(name, t)| Ok((name, Plain::new(t)?)))
        .collect::<Result<_>>()?;
    // Readers elsewhere ask which framework's layout it is.
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(&plain, Some(format)).map_err(|e| Error::InvalidFile {
        path: path.to_owned(),
        what: e.to_string(),
    })?;
    fs::write(path, bytes).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

/// Reads exactly the tensors of `shapes` from one file, as f32.
///
/// # Errors
/// [`Error::Io`], [`Error::InvalidFile`], or [`Error::InvalidTensor`] for one that is missing, of another
/// type or shape, or not asked for.
pub(super) fn read(path: &Path, shapes: &Shapes) -> Result<BTreeMap<String, Tensor>> {
    let file = TensorFile::open(path)?;
    if let Some(extra) = file.names().find(|name| !shapes.contains_key(name)) {
        return Err(file.fault(&extra, "is not part of the model".to_owned()));
    }
    let one = |(name, shape): (&String, &Vec<i64>)| Ok((name.clone(), file.read(name, shape)?));
    shapes.iter().map(one).collect()
}

/// Reads the tensors of `shapes` from a Hugging Face folder, whole or in shards, as f32. Tensors that are not asked for are
/// passed over: a tied head, or buffers of older versions.
///
/// # Errors
/// As [`read`].
pub(super) fn read_model(folder: &Path, shapes: &Shapes) -> Result<BTreeMap<String, Tensor>> {
    let index = folder.join("model.safetensors.index.json");
    if !index.exists() {
        let file = TensorFile::open(&folder.join("model.safetensors"))?;
        let one = |(name, shape): (&String, &Vec<i64>)| Ok((name.clone(), file.read(name, shape)?));
        return shapes.iter().map(one).collect();
    }
    let shards = ShardIndex::read(&index)?;
    let mut open: BTreeMap<&str, TensorFile> = BTreeMap::new();
    let mut tensors = BTreeMap::new();
    for (name, shape) in shapes {
        let shard = shards.shard_of(name, &index)?;
        if !open.contains_key(shard) {
            open.insert(shard, TensorFile::open(&folder.join(shard))?);
        }
        if let Some(file) = open.get(shard) {
            tensors.insert(name.clone(), file.read(name, shape)?);
        }
    }
    Ok(tensors)
}

/// Shapes of tensors by name.
type Shapes = BTreeMap<String, Vec<i64>>;

/// `model.safetensors.index.json`: which file holds which tensor.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl ShardIndex {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|e| Error::InvalidFile {
            path: path.to_owned(),
            what: e.to_string(),
        })
    }

    /// The file of a tensor, which lies in the index's own folder.
    fn shard_of(&self, name: &str, path: &Path) -> Result<&str> {
        let fault = |what: String| Error::InvalidTensor {
            path: path.to_owned(),
            name: name.to_owned(),
            what,
        };
        let shard = self
            .weight_map
            .get(name)
            .ok_or_else(|| fault("is missing".to_owned()))?;
        if Path::new(shard).file_name() == Some(shard.as_ref()) {
            Ok(shard)
        } else {
            Err(fault(format!(
                "is said to be in {shard:?}, outside the folder"
            )))
        }
    }
}

/// A safetensors file whose tensors are read one at a time.
struct TensorFile {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the tensors' bytes begin.
    start: u64,
}

/// Longest header that is read, as in the format's reference implementation.
const MAX_HEADER: u64 = 100_000_000;

impl TensorFile {
    /// Opens a file and checks that header and size agree.
    fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let fault = |what: String| Error::InvalidFile {
            path: path.to_owned(),
            what,
        };
        let file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        if len < 8 {
            return Err(fault(format!("has {len} bytes, too few for a header")));
        }
        let mut size = [0; 8];
        file.read_exact_at(&mut size, 0).map_err(io)?;
        let size = u64::from_le_bytes(size);
        if size > MAX_HEADER.min(len - 8) {
            return Err(fault(format!(
                "claims a header of {size} bytes, but has {len} bytes in all"
            )));
        }
        let mut header = vec![0; size as usize];
        file.read_exact_at(&mut header, 8).map_err(io)?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|e| fault(format!("header: {e}")))?;
        let expected = (8 + size).saturating_add(metadata.data_len() as u64);
        if expected != len {
            return Err(fault(format!(
                "has {len} bytes, but its header describes {expected}"
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
            start: 8 + size,
        })
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.metadata.tensors().into_keys()
    }

    /// The tensor of that name as f32.
    fn read(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let info = self
            .metadata
            .info(name)
            .ok_or_else(|| self.fault(name, "is missing".to_owned()))?;
        let got: Vec<i64> = info.shape.iter().map(|&d| d as i64).collect();
        let kind = match info.dtype {
            Dtype::F32 => Some(Kind::Float),
            Dtype::F16 => Some(Kind::Half),
            Dtype::BF16 => Some(Kind::BFloat16),
            _ => None,
        };
        let Some(kind) = kind.filter(|_| got == shape) else {
            let dtype = info.dtype;
            let expected = format!("expected F32, F16 or BF16 {shape:?}");
            return Err(self.fault(name, format!("is {dtype:?} {got:?}, {expected}")));
        };
        let (begin, end) = info.data_offsets;
        let mut bytes = vec![0; end - begin];
        self.file
            .read_exact_at(&mut bytes, self.start + begin as u64)
            .map_err(|source| Error::Io {
                path: self.path.clone(),
                source,
            })?;
        Ok(Tensor::f_from_data_size(&bytes, shape, kind)?.f_to_kind(Kind::Float)?)
    }

    fn fault(&self, name: &str, what: String) -> Error {
        Error::InvalidTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            what,
        }
    }
}
