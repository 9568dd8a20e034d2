//! `rerec curriculum`: the next epoch's queries from the metrics of this one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rerec_curriculum::{
    Curriculum, CurriculumConfig, DifficultyConfig, MetricConfig, OrderConfig, QueryId, Recheck,
    TooFew,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Failure;
use crate::filter::{FilterArgs, print_line};

/// Order the queries of the next epoch by the metrics of this one
///
/// Reads one query per line, the whole data set in its order, and writes one line: the difficulty of each query, those that are dropped as
/// mastered, and the others in the order of the next epoch. A query whose id is a string "7" and one whose id is the number 7 are the same.
/// With --state a line that cannot be read ends the command under --on-error skip too: left out, its query would be forgotten.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  printf '%s\\n' '{\"query\":\"a\",\"metric\":[1,1]}' '{\"query\":\"b\",\"metric\":[0,1]}' | rerec curriculum --tau 0.1
  {\"difficulty\":[0.0,0.5],\"dropped\":[\"a\"],\"order\":[\"b\"]}")]
pub(crate) struct Args {
    /// Queries of a difficulty below this are mastered
    #[arg(long, default_value_t = 0.1)]
    tau: f64,
    /// Range of the metric; values outside it are faults. That of a reward, which may exceed 1, is -0.55:1.05 or so
    #[arg(long, value_name = "LOWEST:HIGHEST", default_value = "0:1", allow_hyphen_values = true, value_parser = range)]
    metric_range: (f64, f64),
    /// Make difficulty the distance of the metric from the top of its range, as a share of the range, instead of 1 - metric
    #[arg(long)]
    rescale: bool,
    /// Difficulty over the rounds: mean of the last, exponential average, Beta posterior or spread
    #[arg(long, value_enum, default_value = "mean")]
    estimator: Estimator,
    /// Order of the next epoch; progress is known from the second round on, and so only with --state
    #[arg(long, value_enum, default_value = "easy-first")]
    order: Order,
    /// Seed of the random order
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// With --state: epochs after which a mastered query is tried again; 0: never
    #[arg(long, default_value_t = 5, requires = "state")]
    recheck: u32,
    /// Carry the curriculum from one call to the next; read if it exists, written whole
    #[arg(long)]
    state: Option<PathBuf>,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Estimator {
    Mean,
    Ema,
    Beta,
    Spread,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Order {
    EasyFirst,
    HardFirst,
    Frontier,
    Progress,
    Random,
}

#[derive(Deserialize)]
struct Line {
    query: Box<RawValue>,
    /// The metric of each rollout, in --metric-range; empty: never tried.
    metric: Vec<f64>,
}

#[derive(Serialize)]
struct Schedule<'a> {
    difficulty: Vec<f64>,
    dropped: Vec<&'a RawValue>,
    order: Vec<&'a RawValue>,
}

/// The lines of the input under their ids.
struct Queries {
    ids: Vec<QueryId>,
    lines: Vec<(u64, Line)>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(path) = &args.state {
        // Before the input is read: a state that cannot be written would lose the round.
        rerec_files::check_output(path)?;
    }
    let queries = args.read_queries()?;
    let mut curriculum = args.curriculum(&queries.ids)?;
    // What was tried is what has metrics, whatever was planned.
    curriculum.withdraw_upcoming();
    for (id, (number, line)) in queries.ids.iter().zip(&queries.lines) {
        if !line.metric.is_empty()
            && let Err(error) = curriculum.record(id, &line.metric)
        {
            let hint = match error {
                rerec_curriculum::Error::Metric { .. } => " (--metric-range sets the range)",
                _ => "",
            };
            args.filter.fault(*number, format_args!("{error}{hint}"))?;
        }
    }
    curriculum.end_epoch();
    if let Some(path) = &args.state {
        curriculum.save(path)?;
    }
    print_line(&queries.schedule(&curriculum)?)
}

impl Args {
    fn config(&self) -> CurriculumConfig {
        CurriculumConfig {
            tau: self.tau,
            // Nothing is served in batches here. With one query a batch, `too_few` acts only where
            // none is left.
            batch_size: 1,
            metric: MetricConfig {
                rescale: self.rescale,
                ..self.metric_range.into()
            },
            difficulty: match self.estimator {
                Estimator::Mean => DifficultyConfig::Mean,
                Estimator::Ema => DifficultyConfig::EMA,
                Estimator::Beta => DifficultyConfig::BETA,
                Estimator::Spread => DifficultyConfig::Spread,
            },
            order: match self.order {
                Order::EasyFirst => OrderConfig::EasyFirst,
                Order::HardFirst => OrderConfig::HardFirst,
                Order::Frontier => OrderConfig::Frontier,
                Order::Progress => OrderConfig::Progress,
                Order::Random => OrderConfig::Random,
            },
            recheck: if self.recheck == 0 {
                Recheck::Never
            } else {
                Recheck::Every(self.recheck)
            },
            too_few: TooFew::Stop,
            seed: self.seed,
            ..CurriculumConfig::default()
        }
    }

    /// The data set, without repeated queries.
    fn read_queries(&self) -> Result<Queries, Failure> {
        let mut seen = HashSet::new();
        let mut queries = Queries {
            ids: Vec::new(),
            lines: Vec::new(),
        };
        // A line that is skipped would be a query removed from the data set, with all that is known
        // of it.
        let filter = match self.state {
            Some(_) => self.filter.without_skipping(),
            None => self.filter,
        };
        for (number, line) in filter.read_all::<Line>()? {
            let id = query_id(&line.query);
            if seen.insert(id.clone()) {
                queries.ids.push(id);
                queries.lines.push((number, line));
            } else {
                self.filter.fault(
                    number,
                    format_args!("query: {id:?} occurs more than once", id = id.as_str()),
                )?;
            }
        }
        Ok(queries)
    }

    /// The saved curriculum, moved onto the present data set, or a new one.
    fn curriculum(&self, ids: &[QueryId]) -> Result<Curriculum, Failure> {
        let ids = ids.iter().cloned();
        match self.state.as_deref().filter(|path| path.exists()) {
            Some(path) => self.resume(path, ids),
            None => Ok(Curriculum::new(self.config(), ids)?),
        }
    }

    fn resume(
        &self,
        path: &Path,
        ids: impl Iterator<Item = QueryId>,
    ) -> Result<Curriculum, Failure> {
        let mut curriculum = Curriculum::load(path)?;
        // The options of this call count, not those under which the state was saved.
        curriculum.reconfigure(self.config())?;
        let changes = curriculum.reconcile(ids)?;
        if !changes.is_unchanged() {
            let (added, removed) = (changes.added.len(), changes.removed.len());
            eprintln!(
                "rerec: the data set changed since {}: {added} queries added, {removed} removed",
                path.display()
            );
        }
        Ok(curriculum)
    }
}

fn range(text: &str) -> Result<(f64, f64), String> {
    let bounds = text.split_once(':');
    let bounds = bounds.and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    bounds.ok_or_else(|| "must be LOWEST:HIGHEST, such as -0.55:1.05".to_owned())
}

/// The text of a string, or the JSON of anything else.
fn query_id(query: &RawValue) -> QueryId {
    serde_json::from_str::<String>(query.get())
        .unwrap_or_else(|_| query.get().to_owned())
        .into()
}

impl Queries {
    fn schedule(&self, curriculum: &Curriculum) -> Result<Schedule<'_>, Failure> {
        let mut schedule = Schedule {
            difficulty: Vec::new(),
            dropped: Vec::new(),
            order: Vec::new(),
        };
        let upcoming: HashSet<&QueryId> = curriculum.upcoming().collect();
        for (id, (_, line)) in self.ids.iter().zip(&self.lines) {
            schedule
                .difficulty
                .push(curriculum.estimate(id)?.difficulty);
            if !upcoming.contains(id) {
                schedule.dropped.push(&line.query);
            }
        }
        let by_id: std::collections::HashMap<&QueryId, &RawValue> = self
            .ids
            .iter()
            .zip(self.lines.iter().map(|(_, line)| &*line.query))
            .collect();
        schedule.order = curriculum
            .upcoming()
            .filter_map(|id| by_id.get(id).copied())
            .collect();
        Ok(schedule)
    }
}
