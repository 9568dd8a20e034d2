//! Datasets written to files, for the reader of this crate and for other trainers.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::Result;
use crate::files::{CatalogueFile, FilesConfig, QueryFiles, RatingsFile};
use crate::jsonl::write_jsonl;
use crate::verl::VerlRecord;
#[cfg(feature = "parquet")]
use crate::{parquet_file, query::Query};

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
            Self::Jsonl => false,
            Self::Verl => true,
            #[cfg(feature = "parquet")]
            Self::Parquet => false,
            #[cfg(feature = "parquet")]
            Self::VerlParquet => true,
        }
    }
}

impl Dataset {
    /// Writes the dataset into a folder, each file whole or not at all, and returns their paths. Empty parts are left out;
    /// demonstrations and drills are not written.
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
            self.write_items(format, path("catalogue"), &mut written)?;
            self.write_ratings(format, path("ratings"), &mut written)?;
        }
        for (split, queries) in [
            ("train", &self.splits.train),
            ("validation", &self.splits.validation),
            ("test", &self.splits.test),
        ] {
            if queries.is_empty() {
                continue;
            }
            let path = path(split);
            match format {
                Format::Jsonl => write_jsonl(&path, queries)?,
                #[cfg(feature = "parquet")]
                Format::Parquet => {
                    parquet_file::write::<Query>(&path, queries.iter().cloned().map(Ok))?
                }
                Format::Verl => {
                    let records = self.verl_records(queries, name, split);
                    // Collected first: the JSONL writer takes records, and one of these may be an
                    // error.
                    write_jsonl(&path, records.collect::<Result<Vec<_>>>()?)?;
                }
                #[cfg(feature = "parquet")]
                Format::VerlParquet => {
                    parquet_file::write::<VerlRecord>(
                        &path,
                        self.verl_records(queries, name, split),
                    )?;
                }
            }
            written.push(path);
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
                ..QueryFiles::default()
            },
        })
    }

    /// The scale is that of the ratings there are.
    fn ratings_file(&self, file: PathBuf) -> RatingsFile {
        let ratings = self.ratings.iter().map(|rating| rating.rating);
        let least = ratings.clone().fold(f64::INFINITY, f64::min);
        // A scale has two ends, also where all rated alike.
        let most = ratings.fold(least + 1.0, f64::max);
        RatingsFile {
            file,
            rating: Some("rating".to_owned()),
            scale: [least, most],
            // A reader refuses a threshold outside the scale, as where everybody rated above it.
            liked_from: self.liked_from.clamp(least, most),
            ..RatingsFile::default()
        }
    }

    fn verl_records<'a>(
        &'a self,
        queries: &'a [crate::Query],
        name: &'a str,
        split: &'a str,
    ) -> impl Iterator<Item = Result<VerlRecord>> + 'a {
        let record = move |query| VerlRecord::new(query, &self.catalogue, name, split);
        queries.iter().map(record)
    }

    fn write_items(&self, format: Format, path: PathBuf, written: &mut Vec<PathBuf>) -> Result<()> {
        let items = self.catalogue.items();
        match format {
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                parquet_file::write::<rerec_rewards::Item>(&path, items.iter().cloned().map(Ok))?;
            }
            _ => write_jsonl(&path, items)?,
        }
        written.push(path);
        Ok(())
    }

    fn write_ratings(
        &self,
        format: Format,
        path: PathBuf,
        written: &mut Vec<PathBuf>,
    ) -> Result<()> {
        if self.ratings.is_empty() {
            return Ok(());
        }
        match format {
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                let ratings = self.ratings.iter().cloned().map(Ok);
                parquet_file::write::<crate::Rating>(&path, ratings)?;
            }
            _ => write_jsonl(&path, &self.ratings)?,
        }
        written.push(path);
        Ok(())
    }
}
