//! `rerec advantage`: the advantage of each token from the rewards of a group.

use rerec_advantage::{
    AdvantageError, AdvantageEstimator, EstimatorConfig, Groups, Preset, Ragged, RolloutBatch,
    TokenMask, TokenRewards,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::error::Failure;
use crate::filter::{FilterArgs, Rejection};

/// Turn the token rewards of a group of responses into advantages
///
/// Reads one group a line. Estimators of outcomes take the sum of a response's token rewards. remax reads "baselines", one number a
/// response; gae reads "values", one number a token. What gpg, reinforce-pp and gae take over a batch is taken over the line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  printf '%s\\n' '{\"group\":1,\"token_rewards\":[[1,2],[3]]}' | rerec advantage --eps 0
  {\"group\":1,\"advantages\":[[-1.0,0.0],[1.0]]}")]
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
    /// Discount a token: reinforce-pp, gae
    #[arg(long)]
    gamma: Option<f64>,
    /// Weight of later temporal differences: gae
    #[arg(long)]
    lambda: Option<f64>,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Clone, Copy, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
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
#[serde(rename_all = "kebab-case")]
enum Std {
    Unbiased,
    Population,
    None,
}

#[derive(Deserialize)]
struct Line {
    group: Box<RawValue>,
    token_rewards: Vec<Vec<f64>>,
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
    let refuse = |error: AdvantageError| Rejection::new(field(&error), error);
    let groups = Groups::from_sizes(&[line.token_rewards.len()]).map_err(refuse)?;
    let rewards = TokenRewards::from_rows(&line.token_rewards);
    let mask = line.mask.as_deref().map(mask).transpose()?;
    let values = line.values.as_ref().map(Ragged::from_rows);
    let mut batch = RolloutBatch::new(&groups, &rewards).map_err(refuse)?;
    if let Some(mask) = &mask {
        batch = batch.with_mask(mask).map_err(refuse)?;
    }
    if let Some(values) = &values {
        batch = batch.with_values(values).map_err(refuse)?;
    }
    if let Some(baselines) = &line.baselines {
        batch = batch.with_baselines(baselines).map_err(refuse)?;
    }
    let advantages = estimator.estimate(&batch).map_err(refuse)?;
    let advantages = advantages
        .into_tokens(&batch)
        .rows()
        .map(<[f64]>::to_vec)
        .collect();
    Ok(Answer {
        group: line.group,
        advantages,
    })
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

/// The field of the line that an error is about.
fn field(error: &AdvantageError) -> &'static str {
    match error {
        AdvantageError::ResponseCount { what, .. }
        | AdvantageError::TokenCount { what, .. }
        | AdvantageError::MissingInput { what, .. } => what,
        _ => "token_rewards",
    }
}
