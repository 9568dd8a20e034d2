//! `rerec advantage`: the advantage of each token from the rewards of a group.

use rerec_advantage::{
    AdvantageEstimator, Error, EstimatorConfig, Groups, Preset, Ragged, RolloutBatch, TokenMask,
    TokenRewards,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::filter::{FilterArgs, Rejection};

/// Turn the rewards of a group of responses into the advantage of each token
///
/// Reads one group per line. raae compares "token_rewards", one list per response. All other estimators compare outcomes:
/// "rewards", one number per response. An outcome estimator that is given token_rewards alone takes their sum, as verl does with
/// rewards that stand on the last token; the sum of rewards that stand on every token, as rerec segment writes them, grows with the
/// length of a response, so hand its "reward" over too. With rewards alone, a response is as long as its mask, or one token.
/// remax also reads "baselines", one number per response; gae also reads "values", one number per token. What gpg, reinforce-pp,
/// reinforce-pp-baseline and gae take over a batch is taken over the line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  printf '%s\\n' '{\"group\":1,\"token_rewards\":[[1,2],[3]]}' | rerec advantage --eps 0
  {\"group\":1,\"advantages\":[[-1.0,0.0],[1.0]]}

After rerec segment, whose lines have ids such as [QUERY, SAMPLE], jq makes groups of responses:
  rerec segment < responses.jsonl |
  jq -sc 'group_by(.id[0])[] | {group: .[0].id[0], token_rewards: map(.token_rewards), rewards: map(.reward)}' |
  rerec advantage --estimator grpo")]
pub(crate) struct Args {
    /// How rewards are compared
    #[arg(long, value_enum, default_value = "raae")]
    estimator: Estimator,
    /// Conventions of another system; --eps and --std go before them
    #[arg(long, value_enum, default_value = "verl")]
    preset: System,
    /// Added to the standard deviation
    #[arg(long)]
    eps: Option<f64>,
    /// By what deviations from the mean are divided
    #[arg(long, value_enum)]
    std: Option<Std>,
    /// Discount per token: reinforce-pp, gae
    #[arg(long)]
    gamma: Option<f64>,
    /// Weight of later temporal differences: gae
    #[arg(long)]
    lambda: Option<f64>,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Estimator {
    Raae,
    Grpo,
    DrGrpo,
    Rloo,
    Opo,
    Gpg,
    PassK,
    ReinforcePp,
    ReinforcePpBaseline,
    Remax,
    Gae,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum System {
    Verl,
    Trl,
    Openrlhf,
}

#[derive(Clone, Copy, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Std {
    Unbiased,
    Population,
    None,
}

#[derive(Deserialize)]
struct Line {
    // Raw, so that the answer repeats it character for character, whatever JSON it is.
    group: Box<RawValue>,
    token_rewards: Option<Vec<Vec<f64>>>,
    rewards: Option<Vec<f64>>,
    mask: Option<Vec<Vec<u8>>>,
    values: Option<Vec<Vec<f64>>>,
    baselines: Option<Vec<f64>>,
}

#[derive(Serialize)]
struct Answer {
    group: Box<RawValue>,
    advantages: Vec<Vec<f64>>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let estimator = args.config().map_err(Failure::Estimator)?.build()?;
    args.filter
        .answer("group", |line| answer(&*estimator, line))
}

impl Args {
    /// The conventions of the preset, then what is given by itself; a setting that the estimator does not have is an error.
    fn config(&self) -> Result<EstimatorConfig, serde_json::Error> {
        let preset = match self.preset {
            System::Verl => Preset::Verl,
            System::Trl => Preset::Trl,
            System::Openrlhf => Preset::OpenRlhf,
        };
        let named: EstimatorConfig =
            serde_json::from_value(json!({ "estimator": self.estimator }))?;
        // By way of JSON: each estimator has settings of its own, and reading them back refuses one
        // that it does not have.
        let mut config = serde_json::to_value(named.with_preset(preset))?;
        let given = [
            ("eps", self.eps.map(Value::from)),
            ("std", self.std.map(serde_json::to_value).transpose()?),
            ("gamma", self.gamma.map(Value::from)),
            ("lambda", self.lambda.map(Value::from)),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                config[name] = value;
            }
        }
        serde_json::from_value(config)
    }
}

fn answer(estimator: &dyn AdvantageEstimator, line: Line) -> Result<Answer, Rejection> {
    let token_rewards = line.token_rewards.as_ref().map(TokenRewards::from_rows);
    let mask = line.mask.as_deref().map(mask).transpose()?;
    let values = line.values.as_ref().map(Ragged::from_rows);
    let lengths = line.lengths();
    if line.token_rewards.is_none() && line.rewards.is_none() {
        let cause = "missing: a group has token_rewards, rewards or both";
        return Err(Rejection::new("token_rewards", cause));
    }
    let groups = Groups::from_sizes(&[lengths.len()])?;
    let outcomes = line.rewards.as_deref();
    let mut batch = match &token_rewards {
        Some(token_rewards) => RolloutBatch::new(&groups, token_rewards)?,
        None => RolloutBatch::from_outcomes(&groups, outcomes.unwrap_or_default(), &lengths)?,
    };
    if let Some(outcomes) = outcomes {
        batch = batch.with_outcomes(outcomes)?;
    }
    if let Some(mask) = &mask {
        batch = batch.with_mask(mask)?;
    }
    if let Some(values) = &values {
        batch = batch.with_values(values)?;
    }
    if let Some(baselines) = &line.baselines {
        batch = batch.with_baselines(baselines)?;
    }
    let advantages = estimator.estimate(&batch)?.into_tokens(&batch);
    Ok(Answer {
        advantages: advantages.rows().map(<[f64]>::to_vec).collect(),
        group: line.group,
    })
}

impl Line {
    /// The number of tokens of each response; without anything that has an entry per token, one.
    fn lengths(&self) -> Vec<usize> {
        let of_rows = |rows: &[Vec<f64>]| rows.iter().map(Vec::len).collect();
        let of_mask = |rows: &Vec<Vec<u8>>| rows.iter().map(Vec::len).collect();
        let of_tokens = self.token_rewards.as_deref().map(of_rows);
        let of_tokens = of_tokens.or_else(|| self.mask.as_ref().map(of_mask));
        of_tokens
            .or_else(|| self.values.as_deref().map(of_rows))
            .unwrap_or_else(|| vec![1; self.rewards.as_ref().map_or(0, Vec::len)])
    }
}

fn mask(rows: &[Vec<u8>]) -> Result<TokenMask, Rejection> {
    if let Some(other) = rows.iter().flatten().find(|&&valid| valid > 1) {
        return Err(Rejection::new(
            "mask",
            format_args!("must hold 0 and 1 only, got {other}"),
        ));
    }
    Ok(TokenMask::from_rows(rows.iter().map(|row| {
        row.iter().map(|&v| v == 1).collect::<Vec<_>>()
    })))
}

/// Names the field of the line that an error is about, for both filters of the crate.
impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        let field = match &error {
            Error::ResponseCount { what, .. }
            | Error::TokenCount { what, .. }
            | Error::NonFiniteToken { what, .. }
            | Error::NonFiniteResponse { what, .. }
            | Error::MissingInput { what, .. } => match *what {
                // The line has another name for it than the library.
                "outcomes" => "rewards",
                what => what,
            },
            Error::EmptyGroup { .. }
            | Error::GroupSize { .. }
            | Error::GroupOverflow { .. }
            | Error::BatchOverflow => "token_rewards",
            Error::Tokens(_) => "token_byte_lens",
            Error::NonFiniteReward { .. } => "reward",
            Error::Blank { .. } => "ground_truth",
            _ => "response",
        };
        Self::new(field, error)
    }
}
