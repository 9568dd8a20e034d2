//! `rerec data`: look at data before a long run, and bring them into another form.

mod progress;

#[cfg(feature = "torch")]
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use rerec_datasets::{
    DataSource, Dataset, Format, Inspection, LoadContext, join_people, write_jsonl,
};
use rerec_text::Message;
use serde::Deserialize;

use self::progress::LoadingBar;
use crate::error::Failure;
use crate::filter::{print_line, print_text};

/// Look at data, convert them, build queries from a catalogue
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Args {
    Inspect(InspectArgs),
    Convert(ConvertArgs),
    Build(BuildArgs),
    Join(JoinArgs),
}

/// Where the data are.
#[derive(Debug, clap::Args)]
struct SourceArgs {
    /// A TOML file with a table `[data]`: a run's configuration, or that table alone
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// Seed of everything random [default: the configuration's, or 0]
    #[arg(long)]
    seed: Option<u64>,
    /// Count prompts and histories in the tokens of this Hugging Face folder instead of characters and estimated tokens
    #[cfg(feature = "torch")]
    #[arg(long, value_name = "FOLDER")]
    tokenizer: Option<PathBuf>,
}

/// Show what a run would train on: counts by class, attributes, popularity, prompt lengths, leaks, samples
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  rerec data inspect configs/quickstart.toml")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Print the whole as JSON
    #[arg(long)]
    json: bool,
}

/// Write data in another form
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  rerec data convert configs/quickstart.toml --to verl --output quickstart-verl")]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// jsonl and parquet: catalogue, ratings and queries for `[data.files]`; verl and verl-parquet: records to train on with verl
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    to: Format,
    /// Folder for the files
    #[arg(long, short, value_name = "FOLDER")]
    output: PathBuf,
}

/// Build queries from a catalogue, and write them with a configuration that reads them
///
/// The configuration names the items, and where there are any, ratings and groups of users in `[data.catalogue]`; docs/guide/own-catalogue.md
/// goes through one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  rerec data build examples/recipes/recipes.toml --output recipe-queries
  rerec data inspect recipe-queries/data.toml")]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Folder for the files
    #[arg(long, short, value_name = "FOLDER")]
    output: PathBuf,
}

/// Give the films of a catalogue their directors, actors, languages and countries from a table of films
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  rerec data join configs/movielens.toml --films data/films/people.jsonl --output films.jsonl")]
pub(crate) struct JoinArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Films with the columns title, year, director and, where there are any, actor, language, country: .jsonl, .csv, .tsv
    #[arg(long, value_name = "FILE")]
    films: PathBuf,
    /// The most actors of a film: the first of its list
    #[arg(long, value_name = "N", default_value_t = 3)]
    actors: usize,
    /// Where to write the catalogue, one item a line
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// The part of a configuration that speaks of data; a run's other tables are not looked at.
#[derive(Deserialize)]
struct DataConfig {
    #[serde(default)]
    seed: u64,
    data: DataSource,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match args {
        Args::Inspect(args) => args.run(),
        Args::Convert(args) => args.run(),
        Args::Build(args) => args.run(),
        Args::Join(args) => args.run(),
    }
}

impl SourceArgs {
    fn load(&self) -> Result<Dataset, Failure> {
        let config = DataConfig::read(&self.config)?;
        self.load_from(&config.data, self.seed.unwrap_or(config.seed))
    }

    #[cfg(feature = "torch")]
    fn load_from(&self, source: &DataSource, seed: u64) -> Result<Dataset, Failure> {
        let Some(folder) = &self.tokenizer else {
            return load(source, seed, LoadContext::default());
        };
        let tokens = TokenCounter::new(folder)?;
        let count = |text: &str| tokens.count(rerec_policy::Prompt::Text(text));
        let context = LoadContext {
            count_tokens: &count,
            ..LoadContext::default()
        };
        let dataset = load(source, seed, context)?;
        tokens.finish().map(|()| dataset)
    }

    #[cfg(not(feature = "torch"))]
    fn load_from(&self, source: &DataSource, seed: u64) -> Result<Dataset, Failure> {
        load(source, seed, LoadContext::default())
    }

    /// What records carry as the name of their source.
    fn name(&self) -> &str {
        let stem = self.config.file_stem().and_then(|stem| stem.to_str());
        stem.unwrap_or("rerec")
    }
}

impl DataConfig {
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = rerec_files::read_text(path)?;
        toml::from_str(&text).map_err(|source| Failure::DataConfig {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }
}

/// The data of a configuration with their seed. `seed` goes before the configuration's.
pub(crate) fn of_config(path: &Path, seed: Option<u64>) -> Result<(Dataset, u64), Failure> {
    let config = DataConfig::read(path)?;
    let seed = seed.unwrap_or(config.seed);
    Ok((load(&config.data, seed, LoadContext::default())?, seed))
}

impl InspectArgs {
    fn run(&self) -> Result<(), Failure> {
        let dataset = self.source.load()?;
        let inspection = self.inspect(&dataset)?;
        match self.json {
            true => print_line(&inspection),
            false => print_text(&inspection),
        }
    }

    #[cfg(feature = "torch")]
    fn inspect(&self, dataset: &Dataset) -> Result<Inspection, Failure> {
        let Some(folder) = &self.source.tokenizer else {
            return Ok(Inspection::new(dataset, CHARACTERS, characters));
        };
        let tokens = TokenCounter::new(folder)?;
        let count = |prompt: &[Message]| tokens.count(rerec_policy::Prompt::Chat(prompt));
        let inspection = Inspection::new(dataset, "tokens", count);
        tokens.finish().map(|()| inspection)
    }

    #[cfg(not(feature = "torch"))]
    fn inspect(&self, dataset: &Dataset) -> Result<Inspection, Failure> {
        Ok(Inspection::new(dataset, CHARACTERS, characters))
    }
}

/// Loads data with a bar that shows how far it is.
fn load(source: &DataSource, seed: u64, context: LoadContext<'_>) -> Result<Dataset, Failure> {
    let bar = LoadingBar::new();
    let context = LoadContext {
        progress: &|progress| bar.show(progress),
        ..context
    };
    let dataset = source.load_with(seed, context);
    bar.finish();
    Ok(dataset?)
}

/// Counts tokens; the first fault is told in place of all counts.
#[cfg(feature = "torch")]
struct TokenCounter {
    tokenizer: rerec_policy::Tokenizer,
    fault: OnceCell<rerec_policy::Error>,
}

#[cfg(feature = "torch")]
impl TokenCounter {
    fn new(folder: &Path) -> Result<Self, Failure> {
        Ok(Self {
            tokenizer: rerec_policy::Tokenizer::from_folder(folder)?,
            fault: OnceCell::new(),
        })
    }

    fn count(&self, prompt: rerec_policy::Prompt<'_>) -> usize {
        let ids = self.tokenizer.encode_prompt(prompt);
        ids.map_err(|error| self.fault.set(error))
            .map_or(0, |ids| ids.len())
    }

    fn finish(self) -> Result<(), Failure> {
        match self.fault.into_inner() {
            Some(error) => Err(Failure::Policy(error)),
            None => Ok(()),
        }
    }
}

const CHARACTERS: &str = "characters";

fn characters(prompt: &[Message]) -> usize {
    prompt.iter().map(|said| said.content.chars().count()).sum()
}

impl ConvertArgs {
    fn run(&self) -> Result<(), Failure> {
        let dataset = self.source.load()?;
        write(&dataset, &self.output, self.to, self.source.name())
    }
}

impl BuildArgs {
    fn run(&self) -> Result<(), Failure> {
        let dataset = self.source.load()?;
        write(&dataset, &self.output, Format::Jsonl, self.source.name())
    }
}

impl JoinArgs {
    fn run(&self) -> Result<(), Failure> {
        rerec_files::check_output(&self.output)?;
        let Dataset {
            catalogue, ratings, ..
        } = self.source.load()?;
        let joined = join_people(&catalogue, &ratings, &self.films, self.actors)?;
        write_jsonl(&self.output, joined.catalogue.items())?;
        match self.json {
            true => print_line(&joined.report),
            false => print_text(&format_args!("{}\n", joined.report)),
        }
    }
}

/// Writes the files and, where `[data.files]` reads them, a configuration that does.
fn write(dataset: &Dataset, folder: &Path, format: Format, name: &str) -> Result<(), Failure> {
    for remark in &dataset.remarks {
        eprintln!("note: {remark}");
    }
    let mut written = dataset.write(folder, format, name)?;
    if let Some(files) = dataset.files_in(folder, format) {
        let data = DataTable {
            data: DataSource::Files(files),
        };
        let text = toml::to_string(&data).map_err(Failure::Toml)?;
        let path = folder.join("data.toml");
        rerec_files::write::<rerec_files::Error>(&path, |file| file.put(text.as_bytes()))?;
        written.push(path);
    }
    for path in written {
        eprintln!("{}", path.display());
    }
    Ok(())
}

#[derive(serde::Serialize)]
struct DataTable {
    data: DataSource,
}

fn format(name: &str) -> Result<Format, String> {
    let format = Format::deserialize(serde::de::value::StrDeserializer::new(
        &name.replace('-', "_"),
    ));
    format.map_err(|error: serde::de::value::Error| error.to_string())
}
