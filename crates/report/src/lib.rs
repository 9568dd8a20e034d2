#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod bootstrap;
mod chart;
mod curves;
mod error;
mod model_comparison;
mod scorecard;
mod statistics;
mod table;

use rerec_trainer::Run;

pub use bootstrap::{Estimate, bootstrap_mean};
pub use curves::Curves;
pub use error::{Error, Result};
pub use model_comparison::{ComparisonRow, ModelComparison};
pub use scorecard::{ScoreRow, Scorecard};
pub use statistics::{Pairs, wilson};
pub use table::accuracy_table;

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
