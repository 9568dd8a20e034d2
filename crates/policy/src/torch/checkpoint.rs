//! Tensors in safetensors files.

use std::{borrow::Cow, collections::BTreeMap, fs, path::Path};

use safetensors::{Dtype, SafeTensors, tensor::View};
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
    let bytes = safetensors::serialize(&plain, None).map_err(|e| Error::InvalidFile {
        path: path.to_owned(),
        what: e.to_string(),
    })?;
    fs::write(path, bytes).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })
}

/// Reads exactly the tensors of `shapes`, all f32.
///
/// # Errors
/// [`Error::Io`], [`Error::InvalidFile`], or [`Error::InvalidTensor`] for one that is missing, of another
/// type or shape, or not asked for.
pub(super) fn read(
    path: &Path,
    shapes: &BTreeMap<String, Vec<i64>>,
) -> Result<BTreeMap<String, Tensor>> {
    let bytes = fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| Error::InvalidFile {
        path: path.to_owned(),
        what: e.to_string(),
    })?;
    let fault = |name: &str, what: String| Error::InvalidTensor {
        path: path.to_owned(),
        name: name.to_owned(),
        what,
    };
    if let Some(extra) = file
        .names()
        .into_iter()
        .find(|name| !shapes.contains_key(*name))
    {
        return Err(fault(extra, "is not part of the model".to_owned()));
    }
    shapes
        .iter()
        .map(|(name, shape)| {
            let view = file
                .tensor(name)
                .map_err(|_| fault(name, "is missing".to_owned()))?;
            let got: Vec<i64> = view.shape().iter().map(|&d| d as i64).collect();
            if view.dtype() != Dtype::F32 || got != *shape {
                let dtype = view.dtype();
                return Err(fault(
                    name,
                    format!("is {dtype:?} {got:?}, expected F32 {shape:?}"),
                ));
            }
            Ok((
                name.clone(),
                Tensor::f_from_data_size(view.data(), shape, Kind::Float)?,
            ))
        })
        .collect()
}
