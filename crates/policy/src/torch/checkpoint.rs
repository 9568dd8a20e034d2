//! Tensors in safetensors files.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use rerec_files::{FileSet, HashedFile, read_json};
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use crate::{
    SafetensorsFile,
    error::{Error, Result},
};

/// Writes tensors by name, f32, bf16 or f16 as they are, without a copy of more than a piece of one.
pub(super) fn put<'a>(
    files: &mut FileSet<'_>,
    name: &str,
    tensors: impl Iterator<Item = (&'a str, &'a Tensor)>,
) -> Result<()> {
    files.write(name, |file| {
        let mut entries = tensors
            .map(|(name, tensor)| Ok((name, dtype(file, name, tensor)?, tensor)))
            .collect::<Result<Vec<_>>>()?;
        // Behind wider numbers, narrower ones are aligned too.
        entries.sort_by_key(|&(name, dtype, _)| (Reverse(dtype.bitsize()), name));
        put_header(file, &entries)?;
        entries.iter().try_for_each(|(.., t)| put_numbers(file, t))
    })
}

fn dtype(file: &HashedFile, name: &str, tensor: &Tensor) -> Result<Dtype> {
    match tensor.f_kind()? {
        Kind::Float => Ok(Dtype::F32),
        Kind::BFloat16 => Ok(Dtype::BF16),
        Kind::Half => Ok(Dtype::F16),
        other => Err(Error::InvalidTensor {
            path: file.path().to_owned(),
            name: name.to_owned(),
            what: format!("is {other:?}, expected Float, BFloat16 or Half"),
        }),
    }
}

/// Length and text of the header, padded to multiples of 8 bytes.
fn put_header(file: &mut HashedFile, entries: &[(&str, Dtype, &Tensor)]) -> Result<()> {
    let mut end = 0;
    let mut info = |&(name, dtype, tensor): &(&str, Dtype, &Tensor)| {
        let begin = end;
        end += tensor.numel() * dtype.bitsize() / 8;
        let info = TensorInfo {
            dtype,
            shape: tensor.size().iter().map(|&d| d as usize).collect(),
            data_offsets: (begin, end),
        };
        (name.to_owned(), info)
    };
    let infos = entries.iter().map(&mut info).collect();
    // Readers elsewhere ask which framework's layout it is.
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let fault = |what: String| Error::InvalidFile {
        path: file.path().to_owned(),
        what,
    };
    let metadata = Metadata::new(Some(format), infos).map_err(|e| fault(e.to_string()))?;
    let mut text = serde_json::to_vec(&metadata).map_err(|e| fault(e.to_string()))?;
    // With the 8 bytes of the length before it, the numbers then begin at a multiple of 8.
    text.resize(text.len().next_multiple_of(8), b' ');
    file.put(&(text.len() as u64).to_le_bytes())?;
    Ok(file.put(&text)?)
}

/// Numbers that are copied out of a tensor at a time.
const PIECE: usize = 1 << 20;

fn put_numbers(file: &mut HashedFile, tensor: &Tensor) -> Result<()> {
    // A piece at a time, since a tensor on a GPU has to be copied to be read. What is saved is whole tensors or
    // some rows of one, which are contiguous already.
    let flat = tensor.f_detach()?.f_contiguous()?.f_view([-1])?;
    let (count, width) = (flat.numel(), flat.f_kind()?.elt_size_in_bytes());
    let mut bytes = vec![0; count.min(PIECE) * width];
    for start in (0..count).step_by(PIECE) {
        let len = PIECE.min(count - start);
        let bytes = &mut bytes[..len * width];
        flat.f_narrow(0, start as i64, len as i64)?
            .f_to_device(Device::Cpu)?
            .f_copy_data_u8(bytes, len)?;
        file.put(bytes)?;
    }
    Ok(())
}

/// Shapes of tensors by name.
type Shapes = BTreeMap<String, Vec<i64>>;

/// Tensors of open safetensors files. Presence, type and shape of each were checked by the headers before any is read.
#[derive(Debug)]
pub(super) struct StoredTensors {
    path: PathBuf,
    files: Vec<SafetensorsFile>,
    /// Place in `files` of each tensor's file.
    file_of: BTreeMap<String, usize>,
}

impl StoredTensors {
    /// Exactly the tensors of `shapes`, in one file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::InvalidFile`], or [`Error::InvalidTensor`] for one that is missing, of another type or shape, or
    /// not asked for.
    pub(super) fn open(path: &Path, shapes: &Shapes) -> Result<Self> {
        let file = SafetensorsFile::open(path)?;
        let mut names = file.tensors().keys();
        if let Some(extra) = names.find(|name| !shapes.contains_key(*name)) {
            return Err(file.tensor_fault(extra, "is not part of the model"));
        }
        Self::in_file(path, file, shapes)
    }

    /// The tensors of `shapes` in a Hugging Face folder, whole or in shards. Beside them there may be buffers of older versions
    /// and, of a tied model, a head that is the embedding once more.
    ///
    /// # Errors
    /// As [`StoredTensors::open`]; [`Error::InvalidFile`] for weights of another format.
    pub(super) fn open_model(folder: &Path, shapes: &Shapes) -> Result<Self> {
        let (path, index) = (
            folder.join("model.safetensors"),
            folder.join("model.safetensors.index.json"),
        );
        // As transformers has it: a whole file goes before shards, which may be of an older model.
        let stored = match (path.exists(), index.exists()) {
            (false, true) => Self::in_shards(&index, shapes)?,
            (false, false) => return Err(no_weights(folder)),
            (true, _) => {
                let file = SafetensorsFile::open(&path)?;
                check_names(&path, file.tensors().keys(), shapes)?;
                Self::in_file(&path, file, shapes)?
            }
        };
        stored.check_head(shapes)?;
        Ok(stored)
    }

    /// A head that is stored although the model's is the embedding has to be the embedding.
    fn check_head(&self, shapes: &Shapes) -> Result<()> {
        let file = |name: &str| self.files.iter().find(|f| f.tensors().contains_key(name));
        let (Some(head), Some(embedding)) = (file(HEAD), file(EMBEDDING)) else {
            return Ok(());
        };
        if !shapes.contains_key(HEAD) && head.read(HEAD)? != embedding.read(EMBEDDING)? {
            let what =
                "differs from the embedding, although tie_word_embeddings says that they are one";
            return Err(head.tensor_fault(HEAD, what));
        }
        Ok(())
    }

    fn in_file(path: &Path, file: SafetensorsFile, shapes: &Shapes) -> Result<Self> {
        for (name, shape) in shapes {
            stored_kind(&file, name, shape)?;
        }
        Ok(Self {
            path: path.to_owned(),
            files: vec![file],
            file_of: shapes.keys().map(|name| (name.clone(), 0)).collect(),
        })
    }

    fn in_shards(index: &Path, shapes: &Shapes) -> Result<Self> {
        let shards: ShardIndex = read_json(index)?;
        check_names(index, shards.weight_map.keys(), shapes)?;
        let (mut files, mut file_of) = (Vec::new(), BTreeMap::new());
        let mut opened: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, shape) in shapes {
            let shard = shards.shard_of(name, index)?;
            // A shard seen for the first time gets the place of the next file.
            let place = *opened.entry(shard).or_insert(files.len());
            if place == files.len() {
                files.push(SafetensorsFile::open(&index.with_file_name(shard))?);
            }
            stored_kind(&files[place], name, shape)?;
            file_of.insert(name.clone(), place);
        }
        for file in &files {
            // A shard may hold more than the index says.
            check_names(file.path(), file.tensors().keys(), shapes)?;
        }
        Ok(Self {
            path: index.to_owned(),
            files,
            file_of,
        })
    }

    /// A tensor in the type that it is stored in.
    ///
    /// # Errors
    /// [`Error::InvalidTensor`] when it was not asked for, [`Error::Io`].
    pub(super) fn read(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let Some(&place) = self.file_of.get(name) else {
            return Err(Error::InvalidTensor {
                path: self.path.clone(),
                name: name.to_owned(),
                what: "is missing".to_owned(),
            });
        };
        let file = &self.files[place];
        let kind = stored_kind(file, name, shape)?;
        Ok(Tensor::f_from_data_size(&file.read(name)?, shape, kind)?)
    }
}

const HEAD: &str = "lm_head.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";

/// Refuses tensors that the model has no use for: with them it would be another one.
fn check_names<'a>(
    path: &Path,
    mut names: impl Iterator<Item = &'a String>,
    shapes: &Shapes,
) -> Result<()> {
    // Buffers of older versions follow from the configuration.
    let is_known = |name: &str| {
        shapes.contains_key(name) || name == HEAD || name.ends_with("rotary_emb.inv_freq")
    };
    match names.find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(Error::InvalidTensor {
            path: path.to_owned(),
            name: name.clone(),
            what: "is not part of the model that config.json describes".to_owned(),
        }),
    }
}

fn no_weights(folder: &Path) -> Error {
    let other = [
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "consolidated.safetensors",
    ];
    let found = other.into_iter().find(|name| folder.join(name).exists());
    let what = match found {
        Some(name) => format!("is missing; {name} is not read: save the model as safetensors"),
        None => "is missing, and so is model.safetensors.index.json".to_owned(),
    };
    Error::InvalidFile {
        path: folder.join("model.safetensors"),
        what,
    }
}

/// Reads exactly the tensors of `shapes` from one file, as f32.
///
/// # Errors
/// As [`StoredTensors::open`].
pub(super) fn read(path: &Path, shapes: &Shapes) -> Result<BTreeMap<String, Tensor>> {
    let stored = StoredTensors::open(path, shapes)?;
    let one = |(name, shape): (&String, &Vec<i64>)| {
        let tensor = stored.read(name, shape)?.f_to_kind(Kind::Float)?;
        Ok((name.clone(), tensor))
    };
    shapes.iter().map(one).collect()
}

/// The kind of a tensor, which is to be a float of that shape.
fn stored_kind(file: &SafetensorsFile, name: &str, shape: &[i64]) -> Result<Kind> {
    let tensor = file.tensor(name)?;
    let kind = match tensor.dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        _ => None,
    };
    let got = tensor.shape.iter().map(|&d| d as i64);
    kind.filter(|_| got.eq(shape.iter().copied()))
        .ok_or_else(|| {
            let (dtype, got) = (tensor.dtype, &tensor.shape);
            let what = format!("is {dtype} {got:?}, expected F32, F16 or BF16 {shape:?}");
            file.tensor_fault(name, what)
        })
}

/// `model.safetensors.index.json`: which file holds which tensor.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl ShardIndex {
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
        // A bare name alone equals its own last component: `..`, `a/b` and absolute paths do not.
        if Path::new(shard).file_name() == Some(shard.as_ref()) {
            Ok(shard)
        } else {
            Err(fault(format!(
                "is said to be in {shard:?}, outside the folder"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(tensors: &[(&str, Tensor)]) -> Shapes {
        let shape = |(name, t): &(&str, Tensor)| ((*name).to_owned(), t.size());
        tensors.iter().map(shape).collect()
    }

    fn write(folder: &Path, tensors: &[(&str, Tensor)]) -> Result<()> {
        let tensors = tensors.iter().map(|(name, t)| (*name, t));
        let mut files = FileSet::new(folder);
        put(&mut files, "t.safetensors", tensors)?;
        Ok(files.finish()?)
    }

    #[test]
    fn every_kind_of_float_comes_back_as_f32_with_the_same_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let numbers = |kind| Tensor::arange(6, (kind, tch::Device::Cpu)) / 4;
        let tensors = [
            ("bf16", numbers(Kind::BFloat16)),
            ("f16", numbers(Kind::Half).view([2, 3])),
            ("f32", numbers(Kind::Float).view([3, 2]).tr()),
            ("none", Tensor::zeros([0], (Kind::Float, tch::Device::Cpu))),
            ("one", Tensor::from(0.5f32)),
        ];
        write(folder.path(), &tensors).unwrap();
        let path = folder.path().join("t.safetensors");
        let read = read(&path, &shapes(&tensors)).unwrap();
        for (name, tensor) in &tensors {
            assert_eq!(read[*name].kind(), Kind::Float);
            assert_eq!(read[*name], tensor.to_kind(Kind::Float), "{name}");
        }
        // The format's own implementation reads the same.
        let bytes = std::fs::read(&path).unwrap();
        let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(theirs.tensor("bf16").unwrap().dtype(), Dtype::BF16);
        assert_eq!(theirs.tensor("f32").unwrap().shape(), [2, 3]);
    }

    #[test]
    fn more_than_a_piece_is_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let count = PIECE as i64 + 3;
        let long = [(
            "long",
            Tensor::arange(count, (Kind::Float, tch::Device::Cpu)),
        )];
        write(folder.path(), &long).unwrap();
        let read = read(&folder.path().join("t.safetensors"), &shapes(&long)).unwrap();
        assert_eq!(read["long"], long[0].1);
    }

    #[test]
    fn other_numbers_are_refused_and_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let whole = [("w", Tensor::from_slice(&[1i64]))];
        let refused = write(folder.path(), &whole).unwrap_err().to_string();
        assert!(
            refused.contains("tensor w is Int64, expected Float"),
            "{refused}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
