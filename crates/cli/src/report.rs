//! `rerec report`: a page about runs, and their charts.

use std::path::PathBuf;

use rerec_report::{write_charts, write_page};

use crate::error::Failure;

/// Look at runs: one HTML file with accuracy, curves, every response and, of several runs, their comparison
///
/// The file needs nothing beside it. It reads the records of the runs alone, also while they go on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  rerec report runs/quickstart
  rerec report runs/first runs/second --output both.html --charts pictures")]
pub(crate) struct Args {
    /// Folders of runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Where to write the page [default: report.html in the folder of the first run]
    #[arg(long, short, value_name = "FILE.html")]
    output: Option<PathBuf>,
    /// Also write each chart there as SVG, with its numbers as CSV
    #[arg(long, value_name = "FOLDER")]
    charts: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    // There is a first run: clap asks for one.
    let beside = |run: &PathBuf| run.join("report.html");
    let output = args
        .output
        .clone()
        .or_else(|| args.runs.first().map(beside));
    let output = output.unwrap_or_default();
    write_page(&args.runs, &output)?;
    let bytes = std::fs::metadata(&output).map_or(0, |file| file.len());
    eprintln!("{} ({:.1} MB)", output.display(), bytes as f64 / 1e6);
    if let Some(folder) = &args.charts {
        let written = write_charts(&args.runs, folder)?;
        eprintln!("{} ({} files)", folder.display(), written.len());
    }
    Ok(())
}
