//! Embedding tables as files.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use rerec_files::{check_output, lines, read, read_text};

use super::{EmbeddingTable, npy, safe_tensors, tsv};
use crate::fault::{Fault, Place, text};
use crate::{Error, Result};

/// How embeddings are written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmbeddingFormat {
    /// `.safetensors`: one tensor `embeddings`, `[rows, d]`; the ids are a JSON list in the
    /// metadata's `ids`.
    Safetensors,
    /// `.npy`: a `[rows, d]` array; the ids are in a second file, ending in `.ids`, one per line.
    Npy,
    /// `.tsv`: one id and d numbers per line; a first line of column names, ids first, is a header.
    Tsv,
}

impl EmbeddingFormat {
    /// The format that a file's ending names.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`].
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("npy") => Ok(Self::Npy),
            Some("tsv") => Ok(Self::Tsv),
            _ => Err(Error::UnknownFormat {
                path: path.to_owned(),
                allowed: ".safetensors, .npy or .tsv",
            }),
        }
    }
}

impl EmbeddingTable {
    /// Reads a `.safetensors`, `.npy` (with its `.ids`) or `.tsv` file; f16, bf16 and f64 become f32.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::File`], [`Error::Malformed`] with the place, or with what
    /// [`EmbeddingTable::new`] refuses.
    pub fn read(path: &Path) -> Result<Self> {
        let format = EmbeddingFormat::of(path)?;
        let bytes = read(path)?;
        match format {
            EmbeddingFormat::Safetensors => Self::from_safetensors(&bytes, path),
            EmbeddingFormat::Tsv => Self::from_tsv(&bytes, path),
            EmbeddingFormat::Npy => {
                let ids = read_text(&ids_path(path))?;
                // Blank lines are skipped: files often end with one.
                let ids = lines(&ids).map(|(_, id)| id.to_owned()).collect();
                Self::from_npy(&bytes, ids, path)
            }
        }
    }

    /// Reads the bytes of a `.safetensors` file; the path is only named in errors.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_safetensors(bytes: &[u8], path: &Path) -> Result<Self> {
        Self::of_file(safe_tensors::parse(bytes), path)
    }

    /// Reads the bytes of a `.npy` file of the rows of these ids; the path is only named in errors.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_npy(bytes: &[u8], ids: Vec<String>, path: &Path) -> Result<Self> {
        Self::of_file(npy::parse(bytes).map(|values| (ids, values)), path)
    }

    /// Reads the bytes of a `.tsv` file; the path is only named in errors.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_tsv(bytes: &[u8], path: &Path) -> Result<Self> {
        Self::of_file(tsv::parse(text(bytes, path)?), path)
    }

    /// The table of what a file holds, which every error names.
    fn of_file(parsed: Result<(Vec<String>, Array2<f32>), Fault>, path: &Path) -> Result<Self> {
        let (ids, values) = parsed.map_err(|fault| fault.in_file(path))?;
        Self::new(ids, values)
            .map_err(|error| Fault::new(Place::Data, error.to_string()).in_file(path))
    }

    /// Fails where [`write`](Self::write) would fail at once: before hours of training whose result goes to this path.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::File`].
    pub fn check_output(path: &Path) -> Result<()> {
        if EmbeddingFormat::of(path)? == EmbeddingFormat::Npy {
            check_output(&ids_path(path))?;
        }
        Ok(check_output(path)?)
    }

    /// Writes a file in the format that its ending names; it appears whole or not at all.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::File`], [`Error::Malformed`] for an id that the format
    /// cannot hold: one with a tab or line break in `.tsv` or `.npy`.
    pub fn write(&self, path: &Path) -> Result<()> {
        let bytes = match EmbeddingFormat::of(path)? {
            EmbeddingFormat::Safetensors => safe_tensors::write(self)
                .map_err(|error| Fault::new(Place::Header, error.to_string()).in_file(path))?,
            EmbeddingFormat::Tsv => {
                self.require_plain_ids(path)?;
                tsv::write(self).into_bytes()
            }
            EmbeddingFormat::Npy => {
                self.require_plain_ids(path)?;
                let ids: String = self
                    .ids()
                    .iter()
                    .flat_map(|id| [id.as_str(), "\n"])
                    .collect();
                // The ids first: a matrix without its ids is of no use, while ids alone are overwritten next time.
                write_whole(&ids_path(path), ids.as_bytes())?;
                npy::write(self.values())
            }
        };
        write_whole(path, &bytes)
    }

    /// Ids that a line of text can hold and give back.
    fn require_plain_ids(&self, path: &Path) -> Result<()> {
        let plain = |id: &String| !id.trim().is_empty() && !id.contains(['\t', '\n', '\r']);
        match self.ids().iter().position(|id| !plain(id)) {
            None => Ok(()),
            Some(row) => {
                let reason = "an id is blank or holds a tab or a line break";
                Err(Fault::new(Place::Line(row + 1), reason).in_file(path))
            }
        }
    }
}

fn ids_path(path: &Path) -> PathBuf {
    path.with_extension("ids")
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    rerec_files::write(path, |file| Ok(file.put(bytes)?)).map(drop)
}
