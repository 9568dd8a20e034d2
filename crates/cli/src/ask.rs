//! `rerec ask`: a question to a model that knows a catalogue.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rerec_datasets::{CatalogueFile, Dataset, PromptConfig};
use rerec_policy::{DecoderPolicy, Prompt, QueryId, SampleRequest, Sampling};
use rerec_rewards::{Item, LightGcnConfig};
use rerec_trainer::{Advice, Asked, Assistant, TrainConfig};
use serde::Serialize;

use crate::error::Failure;
use crate::filter::print_line;
use crate::interrupt::{interrupt_flag, set_idle};
use crate::model::{ModelArgs, has_ending};

/// Ask a model for a recommendation from a catalogue
///
/// Without QUESTION, questions are read from standard input, one a line, each after what was said before. Candidates are found by the words
/// of titles and attributes; with --user, every second one by LightGCN from what the user chose.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rerec ask --run runs/recipes \"something with lentils that takes under 30 minutes\"
  rerec ask --model SmolLM2-135M-Instruct --catalogue items.csv --json \"a light comedy\"")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The items: .jsonl, .csv or .tsv with the columns id and title, others being attributes; or a .toml file with a table `[data]`
    /// [default: the run's data]
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// What is asked for
    question: Option<String>,
    /// Whose earlier choices count: a user of the data's ratings
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Items to choose from
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    candidates: u16,
    /// Longest response in tokens [default: the run's, or 512]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// Temperature of sampling; 0 takes the most probable token
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temperature: f64,
    /// Seed of sampling at a temperature above 0
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object per question instead of text
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Answered<'a> {
    question: &'a str,
    candidates: &'a [rerec_rewards::ItemId],
    response: &'a str,
    #[serde(flatten)]
    advice: &'a Advice,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let run = args.model.run()?;
    let dataset = args.dataset(run.as_ref())?;
    let prompt = args.prompt(run.as_ref(), &dataset);
    let mut assistant = Assistant::new(&dataset, prompt)?;
    if let Some(run) = &run {
        assistant = assistant.reading_as(&run.reward);
    }
    if args.user.is_some() {
        assistant = assistant.with_lightgcn(LightGcnConfig::default())?;
    }
    let mut opened = args.model.open()?;
    let longest = run
        .as_ref()
        .map_or(512, |run| run.reinforcement.max_new_tokens);
    let mut conversation = Conversation {
        args,
        assistant: &assistant,
        policy: &mut opened.policy,
        sampling: Sampling {
            temperature: args.temperature,
            max_new_tokens: args.max_new_tokens.unwrap_or(longest),
            seed: args.seed,
            ..Sampling::default()
        },
        interrupted: interrupt_flag("stopping")?,
        earlier: None,
        turn: 1,
    };
    match &args.question {
        Some(question) => conversation.ask(question),
        None => conversation.talk(),
    }
}

impl Args {
    fn dataset(&self, run: Option<&TrainConfig>) -> Result<Dataset, Failure> {
        match (&self.catalogue, run) {
            (Some(path), _) if has_ending(path, "toml") => {
                Ok(crate::data::of_config(path, None)?.0)
            }
            (Some(path), _) => {
                let file = CatalogueFile {
                    file: path.clone(),
                    ..CatalogueFile::default()
                };
                Ok(Dataset {
                    catalogue: file.read()?,
                    ..Dataset::default()
                })
            }
            (None, Some(run)) => Ok(run.data.load(run.seed)?),
            (None, None) => Err(Failure::NoCatalogue),
        }
    }

    /// As the model was trained to be asked; another model is shown all attributes, since it has never heard of the items.
    fn prompt(&self, run: Option<&TrainConfig>, dataset: &Dataset) -> PromptConfig {
        let trained = run.and_then(|run| run.data.prompt()).cloned();
        trained.unwrap_or_else(|| PromptConfig {
            shown: relations(dataset),
            ..PromptConfig::default()
        })
    }
}

fn relations(dataset: &Dataset) -> Vec<String> {
    let items = dataset.catalogue.items().iter();
    let relations: BTreeSet<&str> = items
        .flat_map(|item| &item.attributes)
        .map(|attribute| &*attribute.relation)
        .collect();
    relations.into_iter().map(str::to_owned).collect()
}

/// What was said so far.
struct Conversation<'a> {
    args: &'a Args,
    assistant: &'a Assistant<'a>,
    policy: &'a mut DecoderPolicy,
    sampling: Sampling,
    interrupted: Arc<AtomicBool>,
    earlier: Option<(Asked, String)>,
    turn: usize,
}

impl Conversation<'_> {
    /// Answers the lines of standard input.
    fn talk(&mut self) -> Result<(), Failure> {
        let is_terminal = io::stdin().is_terminal();
        let mut lines = io::stdin().lock().lines();
        loop {
            if is_terminal {
                eprint!("> ");
            }
            set_idle(true);
            let line = lines.next();
            set_idle(false);
            let Some(line) = line else {
                return Ok(());
            };
            let line = line.map_err(Failure::Read)?;
            if !line.trim().is_empty() {
                self.ask(line.trim())?;
            }
        }
    }

    fn ask(&mut self, question: &str) -> Result<(), Failure> {
        let earlier = self
            .earlier
            .as_ref()
            .map(|(asked, response)| (asked, &**response));
        let user = self.args.user.as_deref();
        let mut asked = self
            .assistant
            .ask(earlier, question, user, self.args.candidates.into())?;
        self.make_room(&mut asked)?;
        let response = self.respond(&asked)?;
        let advice = self.assistant.resolve(&asked, &response);
        if self.args.json {
            print_line(&Answered {
                question,
                candidates: &asked.candidates,
                response: &response,
                advice: &advice,
            })?;
        } else {
            print_advice(&advice)?;
        }
        self.earlier = Some((asked, response));
        self.turn += 1;
        Ok(())
    }

    /// Forgets the oldest turns of a conversation that leaves no room for a response. What does not fit alone is refused by the model.
    fn make_room(&self, asked: &mut Asked) -> Result<(), Failure> {
        let room = self.policy.model().max_position_embeddings;
        let room = room.saturating_sub(self.sampling.max_new_tokens);
        let mut forgotten = 0;
        let tokens = |asked: &Asked| {
            let prompt = self
                .policy
                .tokenizer()
                .encode_prompt(Prompt::Chat(&asked.conversation));
            prompt.map(|ids| ids.len())
        };
        while tokens(asked)? > room && asked.forget_oldest() {
            forgotten += 1;
        }
        if forgotten > 0 {
            eprintln!(
                "(the model has no room for the oldest {forgotten} questions, which are forgotten)"
            );
        }
        Ok(())
    }

    /// The model's response, printed while it grows unless JSON is wanted.
    fn respond(&mut self, asked: &Asked) -> Result<String, Failure> {
        // Each turn draws from a stream of its own.
        let query = QueryId::from(format!("question {}", self.turn));
        let request = SampleRequest {
            query: &query,
            prompt: Prompt::Chat(&asked.conversation),
            samples: 1,
        };
        let (is_shown, interrupted) = (!self.args.json, self.interrupted.clone());
        let mut written = Ok(());
        let mut show = |piece: &str| {
            if is_shown && written.is_ok() {
                let mut output = io::stdout().lock();
                written = output
                    .write_all(piece.as_bytes())
                    .and_then(|()| output.flush());
            }
            match written.is_err() || interrupted.load(Ordering::SeqCst) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let streamed = self.policy.stream(request, &self.sampling, &mut show);
        // A reader who went away matters more than that the response was broken off because of it.
        written.map_err(Failure::Write)?;
        let group = streamed?;
        Ok(group
            .responses
            .into_iter()
            .map(|response| response.text)
            .collect())
    }
}

/// The recommended items with their attributes, or why there are none.
fn print_advice(advice: &Advice) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    let mut print = |text: &str| writeln!(output, "{text}").map_err(Failure::Write);
    print("\n")?;
    for item in &advice.items {
        print(&described(item))?;
    }
    let flags: Vec<&str> = advice.flags.iter().map(|flag| flag.name()).collect();
    match (advice.items.is_empty(), flags.is_empty()) {
        (true, _) => print(&format!("no recommendation ({})", flags.join(", "))),
        (false, true) => Ok(()),
        (false, false) => print(&format!("({})", flags.join(", "))),
    }
}

/// `Dal (id 17): ingredient lentils, ingredient spinach`.
fn described(item: &Item) -> String {
    let attributes = item.attributes.iter();
    let attributes: Vec<String> = attributes
        .map(|a| format!("{} {}", a.relation, a.value))
        .collect();
    let head = format!("{} (id {})", item.title, item.id);
    match attributes.is_empty() {
        true => head,
        false => format!("{head}: {}", attributes.join(", ")),
    }
}
