//! `rerec export`: a model for other programs.

use std::fs;
use std::path::{Path, PathBuf};

use rerec_policy::GgmlType;

use crate::error::Failure;
use crate::model::{ModelArgs, has_ending};

/// Write a model for other programs, its adapters merged: a Hugging Face folder, or a GGUF file for llama.cpp
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rerec export --run runs/quickstart --output my-recommender
  rerec export --run runs/quickstart --output my-recommender.gguf --type q8_0")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Where to write: a file that ends in .gguf, or a new folder
    #[arg(long, short, value_name = "FOLDER|FILE.gguf")]
    output: PathBuf,
    /// How a GGUF file stores matrices: f16 or q8_0 [default: f16]
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    kind: Option<GgmlType>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let is_gguf = has_ending(&args.output, "gguf");
    // Before a large model is read.
    match is_gguf {
        true => rerec_files::check_output(&args.output)?,
        false if args.kind.is_some() => return Err(Failure::TypeWithoutGguf),
        false => make_folder(&args.output)?,
    }
    let policy = args.model.open()?.policy;
    match is_gguf {
        true => policy.save_gguf(&args.output, args.kind.unwrap_or(GgmlType::F16))?,
        false => policy.save_merged(&args.output)?,
    }
    eprintln!("{}", args.output.display());
    Ok(())
}

/// A folder that holds something is left alone.
fn make_folder(path: &Path) -> Result<(), Failure> {
    let fault = |source| Failure::Folder {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(path).map_err(fault)?;
    match fs::read_dir(path).map_err(fault)?.next() {
        Some(_) => Err(Failure::FolderInUse {
            path: path.to_owned(),
        }),
        None => Ok(()),
    }
}

fn kind(name: &str) -> Result<GgmlType, String> {
    match name {
        "f16" => Ok(GgmlType::F16),
        "q8_0" => Ok(GgmlType::Q8_0),
        _ => Err("f16 or q8_0 is expected".to_owned()),
    }
}
