#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod abilities;
mod ablation;
mod bootstrap;
mod chart;
mod charts;
mod comparison;
mod curves;
mod epochs;
mod error;
mod glance;
mod model_comparison;
mod packing;
mod page;
mod pictures;
mod reading;
mod rollouts;
mod scorecard;
mod settings;
mod statistics;
mod student;
mod table;
mod worries;

use std::path::Path;

use rerec_trainer::Run;

pub use abilities::{AbilityCard, AbilityComparison, KindScore, PairedShares};
pub use ablation::{ablation_table, write_ablation};
pub use bootstrap::{Estimate, bootstrap_mean};
pub use curves::Curves;
pub use error::{Error, Result};
pub use model_comparison::{ComparisonRow, ModelComparison};
pub use pictures::write_charts;
pub use scorecard::{ScoreRow, Scorecard};
pub use statistics::{Pairs, wilson};
pub use student::student_mean;
pub use table::accuracy_table;
pub use worries::{Worry, worries_of_steps};

/// Writes a page about one or several runs: an HTML file that needs nothing beside it and asks no network. A run may still be
/// going on; what cannot be read is left out and said on the page.
///
/// Of a run with more than 256 MiB of responses every n-th query is in the page, with all of its responses.
///
/// # Errors
/// A folder without any record of a run; a file that cannot be written.
pub fn write_page(runs: &[impl AsRef<Path>], output: &Path) -> Result<()> {
    let page = page::page(runs, rollouts::MOST)?;
    rerec_files::write::<rerec_files::Error>(output, |file| file.put(page.as_bytes()))?;
    Ok(())
}

/// Writes `accuracy.md` and `curves.svg` into the folder of a run; the picture needs at least two steps.
///
/// # Errors
/// Records that cannot be read, files that cannot be written.
pub fn write_summary(run: &Run) -> Result<()> {
    let write = |name: &str, text: &str| {
        let path = run.folder().join(name);
        rerec_files::write(&path, |file| file.put(text.as_bytes())).map(drop)
    };
    write("accuracy.md", &accuracy_table(&run.evaluations()?))?;
    let curves = Curves::of(run)?;
    if curves.steps() >= 2 {
        write("curves.svg", &curves.svg()?)?;
    }
    Ok(())
}
