//! `rerec lightgcn`: item embeddings from who chose what.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rerec_rewards::{
    ContrastReport, EmbeddingTable, EpochReport, FittedLightGcn, Interactions, LightGcn,
    LightGcnConfig, RankingQuality,
};
use serde::Serialize;

use crate::error::Failure;
use crate::filter::{print_line, warn_of_header};

/// Training pairs from which an item counts as popular in the contrast report.
const POPULAR: u32 = 50;

/// Train item embeddings for the preference score from interactions
///
/// Trains LightGCN on the CPU, stops when the ranking of held-out pairs gets no better, writes the embeddings of the
/// best epoch and prints a summary as JSON. With --layers 0 it is plain matrix factorisation.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  printf 'ann\\theat\\nann\\tthief\\nbob\\theat\\nbob\\talien\\n' > pairs.tsv
  rerec lightgcn pairs.tsv --output items.safetensors --max-epochs 20")]
pub(crate) struct Args {
    /// Who chose what: .tsv (user, item), .inter (RecBole), .dat (MovieLens)
    #[arg(value_name = "FILE")]
    interactions: PathBuf,
    /// Where to write the item embeddings: .safetensors, .npy, .tsv
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Where to write the user embeddings
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Length of a vector
    #[arg(long, default_value_t = LightGcnConfig::default().dimension)]
    dimension: usize,
    /// Propagation layers
    #[arg(long, default_value_t = LightGcnConfig::default().layers)]
    layers: usize,
    /// Adam's step size
    #[arg(long, default_value_t = LightGcnConfig::default().learning_rate)]
    learning_rate: f64,
    /// Weight of the squared layer-0 embeddings of a batch
    #[arg(long, default_value_t = LightGcnConfig::default().l2_weight)]
    l2_weight: f64,
    /// Training pairs per step
    #[arg(long, default_value_t = LightGcnConfig::default().batch_size)]
    batch_size: usize,
    /// Epochs at most
    #[arg(long, default_value_t = LightGcnConfig::default().max_epochs)]
    max_epochs: usize,
    /// Epochs without a better ranking before training stops
    #[arg(long, default_value_t = LightGcnConfig::default().patience)]
    patience: usize,
    /// Share of each user's pairs held out to know when to stop; 0: train for all epochs [default: 0.1, or 0 where no
    /// user has ten pairs]
    #[arg(long, value_name = "FRACTION")]
    validation: Option<f64>,
    /// Share of each user's pairs held out to report quality on
    #[arg(long, default_value_t = 0.0)]
    test: f64,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Serialize)]
struct Summary {
    users: usize,
    items: usize,
    pairs: usize,
    epochs: usize,
    best_epoch: usize,
    validation: Option<Quality>,
    test: Option<Quality>,
    contrast: Option<Contrast>,
}

#[derive(Serialize)]
struct Quality {
    recall_at_10: f64,
    ndcg_at_10: f64,
    users: usize,
}

#[derive(Serialize)]
struct Contrast {
    items: usize,
    mean_cosine: f64,
    std_cosine: f64,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let model = LightGcn::new(args.config())?;
    args.check_outputs()?;
    let interactions = Interactions::read(&args.interactions)?;
    warn_of_header(&args.interactions, interactions.header());
    let validation = model.validation_fraction(&interactions);
    if args.validation.is_none() && validation <= 0.0 {
        eprintln!(
            "rerec: no user has ten pairs, so that none is held out and all {} epochs are trained",
            args.max_epochs
        );
    }
    let split = interactions.split(validation, args.test, args.seed)?;
    let fitted = model.fit_with_validation(&split.train, &split.validation, progress())?;
    fitted.item_embeddings()?.write(&args.output)?;
    if let Some(path) = &args.users {
        fitted.user_embeddings()?.write(path)?;
    }
    let contrast = contrast(&fitted, &split.train)?;
    if contrast.is_some_and(|contrast| contrast.is_flat()) {
        eprintln!(
            "rerec: popular items all look alike, so that preference scores reward popularity: train longer or score with --similarity centred_cosine"
        );
    }
    let test = (!split.test.is_empty())
        // Validation pairs are known by now, and must not take a rank from those of the test.
        .then(|| fitted.evaluate(&[&split.train, &split.validation], &split.test, 10))
        .transpose()?;
    // Epochs count from 1.
    let best = fitted.history().get(fitted.best_epoch().saturating_sub(1));
    print_line(&Summary {
        users: interactions.users().len(),
        items: interactions.items().len(),
        pairs: interactions.len(),
        epochs: fitted.history().len(),
        best_epoch: fitted.best_epoch(),
        validation: best.and_then(|report| report.validation).map(Quality::from),
        test: test.map(Quality::from),
        contrast: contrast.map(Contrast::from),
    })
}

impl Args {
    /// What cannot be written is found before hours of training, and so is what would overwrite another file.
    fn check_outputs(&self) -> Result<(), Failure> {
        let mut known = vec![("the input", place(&self.interactions))];
        let users = self.users.as_deref().map(|path| ("--users", path));
        for (option, path) in [("--output", self.output.as_path())]
            .into_iter()
            .chain(users)
        {
            EmbeddingTable::check_output(path)?;
            let place = place(path);
            if let Some(&(other, _)) = known.iter().find(|(_, taken)| *taken == place) {
                return Err(Failure::SameFile {
                    option,
                    path: path.to_owned(),
                    other,
                });
            }
            known.push((option, place));
        }
        Ok(())
    }

    fn config(&self) -> LightGcnConfig {
        LightGcnConfig {
            dimension: self.dimension,
            layers: self.layers,
            learning_rate: self.learning_rate,
            l2_weight: self.l2_weight,
            batch_size: self.batch_size,
            max_epochs: self.max_epochs,
            patience: self.patience,
            validation_fraction: self.validation,
            seed: self.seed,
        }
    }
}

/// The path without links and dots, also of a file that is yet to be written.
fn place(path: &Path) -> PathBuf {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    // A file that is yet to be written has no canonical path, but its folder has one.
    path.canonicalize()
        .or_else(|_| folder.map(|folder| folder.join(path.file_name().unwrap_or_default())))
        .unwrap_or_else(|_| path.to_owned())
}

/// Reports each epoch with the time it took.
fn progress() -> impl FnMut(&EpochReport) {
    let mut start = Instant::now();
    move |report| {
        let quality = report.validation.map_or(String::new(), |quality| {
            format!(
                ", validation ndcg@10 {:.4}, recall@10 {:.4}",
                quality.ndcg, quality.recall
            )
        });
        let seconds = start.elapsed().as_secs_f64();
        eprintln!(
            "epoch {}: loss {:.4}{quality} ({seconds:.2} s)",
            report.epoch, report.loss
        );
        start = Instant::now();
    }
}

/// The contrast of the popular items, if there are at least two.
fn contrast(
    fitted: &FittedLightGcn,
    train: &Interactions,
) -> Result<Option<ContrastReport>, Failure> {
    // Counted first, since `contrast` refuses fewer than two items.
    let popular = train
        .popularity()
        .into_iter()
        .filter(|&pairs| pairs >= POPULAR)
        .count();
    Ok((popular >= 2)
        .then(|| fitted.contrast(POPULAR))
        .transpose()?)
}

impl From<RankingQuality> for Quality {
    fn from(quality: RankingQuality) -> Self {
        Self {
            recall_at_10: quality.recall,
            ndcg_at_10: quality.ndcg,
            users: quality.users,
        }
    }
}

impl From<ContrastReport> for Contrast {
    fn from(report: ContrastReport) -> Self {
        Self {
            items: report.items,
            mean_cosine: report.mean_cosine,
            std_cosine: report.std_cosine,
        }
    }
}
