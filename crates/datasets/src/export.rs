//! Datasets written to files, for the reader of this crate and for other trainers.

use std::path::{Path, PathBuf};

#[cfg(not(feature = "parquet"))]
use serde::Serialize as Record;
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::Result;
use crate::files::{CatalogueFile, FilesConfig, QueryFiles, RatingsFile};
use crate::jsonl::write_records;
#[cfg(feature = "parquet")]
use crate::parquet_file::{self, Columns as Record};
use crate::query::Query;
use crate::verl::VerlRecord;

/// What is written of a dataset, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// `catalogue.jsonl`, `ratings.jsonl` and a file of queries for each split, which `[data.files]` reads.
    Jsonl,
    /// The same in Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
    /// `train.jsonl`, `validation.jsonl` and `test.jsonl` of records as verl trains on.
    Verl,
    /// The same in Parquet, which verl reads as it is.
    #[cfg(feature = "parquet")]
    VerlParquet,
}

impl Format {
    fn ending(self) -> &'static str {
        match self {
            Self::Jsonl | Self::Verl => "jsonl",
            #[cfg(feature = "parquet")]
            Self::Parquet | Self::VerlParquet => "parquet",
        }
    }

    fn is_verl(self) -> bool {
        match self {
            Self::Verl => true,
            #[cfg(feature = "parquet")]
            Self::VerlParquet => true,
            _ => false,
        }
    }

    /// Writes one record for each line or row.
    fn write<T: Record>(self, path: &Path, records: impl Iterator<Item = Result<T>>) -> Result<()> {
        match self {
            Self::Jsonl | Self::Verl => write_records(path, records),
            #[cfg(feature = "parquet")]
            Self::Parquet | Self::VerlParquet => parquet_file::write(path, records),
        }
    }
}

impl Dataset {
    /// Writes the dataset into a folder, each file whole or not at all, and returns their paths. Empty parts are left out;
    /// demonstrations and drills are not written, [`extra`](Self::extra) columns only into records for verl.
    ///
    /// `name` is what records for verl carry as `data_source`.
    ///
    /// ```
    /// use rerec_datasets::{Dataset, Format, WorldConfig};
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let world = Dataset::quickstart(1, &WorldConfig::default())?;
    /// world.write(folder.path(), Format::Jsonl, "world")?;
    /// let files = world.files_in(folder.path(), Format::Jsonl).expect("not verl's");
    /// let again = Dataset::from_files(&files)?;
    /// assert_eq!(again.splits, world.splits);
    /// assert_eq!(again.catalogue.items(), world.catalogue.items());
    /// # Ok::<(), rerec_datasets::Error>(())
    /// ```
    ///
    /// # Errors
    /// A folder or file that cannot be written; a target that is not in the catalogue.
    pub fn write(&self, folder: &Path, format: Format, name: &str) -> Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder).map_err(|source| rerec_files::Error::Io {
            action: "create",
            path: folder.to_owned(),
            source,
        })?;
        let path = |stem: &str| folder.join(stem).with_extension(format.ending());
        let mut written = Vec::new();
        if !format.is_verl() {
            written.push(path("catalogue"));
            format.write(&path("catalogue"), self.catalogue.items().iter().map(Ok))?;
            if !self.ratings.is_empty() {
                written.push(path("ratings"));
                format.write(&path("ratings"), self.ratings.iter().map(Ok))?;
            }
        }
        for (split, queries) in self.splits.named() {
            if queries.is_empty() {
                continue;
            }
            written.push(path(split));
            match format.is_verl() {
                true => self.write_verl(
                    &path(split),
                    format,
                    self.verl_records(queries, name, split),
                )?,
                false => format.write(&path(split), queries.iter().map(Ok))?,
            }
        }
        Ok(written)
    }

    /// The configuration that reads what [`write`](Self::write) wrote into a folder; `None` for verl's formats, which hold no catalogue.
    pub fn files_in(&self, folder: &Path, format: Format) -> Option<FilesConfig> {
        if format.is_verl() {
            return None;
        }
        let path = |stem: &str| folder.join(stem).with_extension(format.ending());
        let Self {
            ratings, splits, ..
        } = self;
        let filled = |stem: &str, is_empty: bool| (!is_empty).then(|| path(stem));
        Some(FilesConfig {
            catalogue: CatalogueFile {
                file: path("catalogue"),
                ..CatalogueFile::default()
            },
            ratings: filled("ratings", ratings.is_empty()).map(|file| self.ratings_file(file)),
            queries: QueryFiles {
                train: path("train"),
                validation: filled("validation", splits.validation.is_empty()),
                test: filled("test", splits.test.is_empty()),
                conditions: self
                    .any(|query| !query.conditions.is_empty())
                    .then(|| "conditions".to_owned()),
                user: self
                    .any(|query| query.user.is_some())
                    .then(|| "user".to_owned()),
                time: self
                    .any(|query| query.time.is_some())
                    .then(|| "time".to_owned()),
                split_by: self.split_by,
                ..QueryFiles::default()
            },
        })
    }

    fn any(&self, holds: impl Fn(&Query) -> bool) -> bool {
        self.splits.queries().any(holds)
    }

    /// The scale is that of the ratings there are.
    fn ratings_file(&self, file: PathBuf) -> RatingsFile {
        let ratings = self.ratings.iter().map(|rating| rating.rating);
        let least = ratings.clone().fold(f64::INFINITY, f64::min);
        // A scale has two ends, also where all rated alike.
        let most = ratings.fold(least + 1.0, f64::max);
        let has_times = self.ratings.iter().any(|rating| rating.time.is_some());
        RatingsFile {
            file,
            rating: Some("rating".to_owned()),
            time: has_times.then(|| "time".to_owned()),
            scale: [least, most],
            // A reader refuses a threshold outside the scale, as where everybody rated above it.
            liked_from: self.liked_from.clamp(least, most),
            ..RatingsFile::default()
        }
    }

    /// Records of all splits have the same columns.
    #[cfg(feature = "parquet")]
    fn write_verl(
        &self,
        path: &Path,
        format: Format,
        records: impl Iterator<Item = Result<VerlRecord>>,
    ) -> Result<()> {
        match format {
            Format::VerlParquet => {
                let columns = parquet_file::verl_columns(path, self.extra.values())?;
                parquet_file::write_columns(path, columns, records)
            }
            _ => format.write(path, records),
        }
    }

    #[cfg(not(feature = "parquet"))]
    fn write_verl(
        &self,
        path: &Path,
        format: Format,
        records: impl Iterator<Item = Result<VerlRecord>>,
    ) -> Result<()> {
        format.write(path, records)
    }

    fn verl_records<'a>(
        &'a self,
        queries: &'a [Query],
        name: &'a str,
        split: &'a str,
    ) -> impl Iterator<Item = Result<VerlRecord>> + 'a {
        let record = move |query: &Query| {
            let record = VerlRecord::new(query, &self.catalogue, name, split)?;
            Ok(match self.extra.get(&query.id) {
                Some(extra) => record.with_extra(extra),
                None => record,
            })
        };
        queries.iter().map(record)
    }
}
