//! The charts of a run: what is drawn on the page, as pictures, and written as numbers.

mod measures;
mod timings;

use std::collections::BTreeSet;

use rerec_trainer::{EpochRecord, Evaluation, MetricsRecord, Phase};
use serde::Serialize;

use self::measures::{others, validation_measures};
pub(crate) use self::timings::of_timings;

/// One chart: lines over the steps of reinforcement.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Chart {
    /// Names its files.
    pub(crate) id: String,
    pub(crate) title: String,
    /// Where it stands on the page.
    pub(crate) section: &'static str,
    /// The least and the largest value that there can be, such as 0 and 100 for a percentage: the axis does not go beyond.
    pub(crate) least: Option<f64>,
    pub(crate) most: Option<f64>,
    pub(crate) lines: Vec<Line>,
}

/// One line of a chart.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Step and value.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Queries of one class by difficulty, epoch after epoch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Difficulty {
    pub(crate) class: String,
    pub(crate) epochs: Vec<u32>,
    /// For each epoch the counts of ten bins over [0, 1].
    pub(crate) counts: Vec<Vec<usize>>,
}

const OUTCOME: &str = "How well it answers";
const REWARD: &str = "What the reward sees";
const POLICY: &str = "What the policy does";
const CURRICULUM: &str = "The curriculum";
const OTHER: &str = "Timings and other measures";

impl Chart {
    fn new(id: &str, title: &str, section: &'static str, lines: Vec<Line>) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            section,
            least: Some(0.0),
            most: None,
            // A line of nothing would stand in the legend alone.
            lines: lines
                .into_iter()
                .filter(|line| !line.points.is_empty())
                .collect(),
        }
    }

    fn signed(self) -> Self {
        Self {
            least: None,
            ..self
        }
    }

    fn up_to(self, most: f64) -> Self {
        let most = Some(most);
        Self { most, ..self }
    }
}

/// All charts that have a point.
pub(crate) fn charts(
    metrics: &[MetricsRecord],
    epochs: &[EpochRecord],
    evaluations: &[Evaluation],
) -> Vec<Chart> {
    // The test queries are asked between phases only: columns of the table, but no curve.
    let validations: Vec<&Evaluation> = evaluations
        .iter()
        .filter(|evaluation| evaluation.phase == Phase::Reinforcement)
        .collect();
    let mut charts = of_validations(&validations);
    charts.extend(of_rewards(metrics));
    charts.extend(of_updates(metrics));
    charts.extend(of_epochs(epochs));
    charts.extend(others(metrics));
    charts.retain(|chart| !chart.lines.is_empty());
    charts
}

fn of_validations(validations: &[&Evaluation]) -> Vec<Chart> {
    let line = |name: &str, value: &dyn Fn(&Evaluation) -> Option<f64>| Line {
        name: name.to_owned(),
        points: validations
            .iter()
            .filter_map(|one| Some((one.step as f64, value(one)?)))
            .collect(),
    };
    let classes: BTreeSet<_> = validations
        .iter()
        .flat_map(|one| one.classes.keys())
        .collect();
    let mut accuracy = vec![line("all", &|one| Some(100.0 * one.overall.share()))];
    accuracy.extend(classes.into_iter().map(|class| {
        let share = |one: &Evaluation| Some(100.0 * one.classes.get(class)?.share());
        line(class.label(), &share)
    }));
    accuracy.push(line("guess", &|one| Some(100.0 * one.overall.guess())));
    let title = "Accuracy on validation queries (%)";
    let accuracy = Chart::new("validation-accuracy", title, OUTCOME, accuracy).up_to(100.0);
    std::iter::once(accuracy)
        .chain(validation_measures(validations))
        .collect()
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// A line of one value per step, where the step has it.
fn steps(
    name: &str,
    metrics: &[MetricsRecord],
    value: impl Fn(&MetricsRecord) -> Option<f64>,
) -> Line {
    let points = metrics
        .iter()
        .filter_map(|step| Some((step.step as f64, value(step)?)));
    Line {
        name: name.to_owned(),
        points: points.collect(),
    }
}

fn of_rewards(metrics: &[MetricsRecord]) -> Vec<Chart> {
    let line = |name: &str, value: fn(&MetricsRecord) -> Option<f64>| steps(name, metrics, value);
    let mut parts = vec![
        line("format", |m| m.reward.format),
        line("ranking", |m| m.reward.ranking),
        line("query alignment", |m| m.reward.query_alignment),
        line("preference alignment", |m| m.reward.preference_alignment),
    ];
    let terms: BTreeSet<&String> = metrics.iter().flat_map(|m| m.reward.terms.keys()).collect();
    parts.extend(
        terms
            .into_iter()
            .map(|term| steps(term, metrics, |m| m.reward.terms.get(term).copied())),
    );
    let kinds = vec![
        line("a right answer", |m| Some(m.groups_with_hit as f64)),
        line("shaping alone", |m| Some(m.groups_shaped_only as f64)),
        line("nothing: all alike", |m| {
            Some(m.groups_without_signal as f64)
        }),
    ];
    let right = line("right", |m| Some(100.0 * m.accuracy));
    let reward = line("reward", |m| m.reward.total);
    vec![
        Chart::new(
            "rollout-accuracy",
            "Right responses among the rollouts (%)",
            OUTCOME,
            vec![right],
        )
        .up_to(100.0),
        Chart::new(
            "reward",
            "Mean reward of the rollouts",
            REWARD,
            vec![reward],
        )
        .signed(),
        Chart::new(
            "reward-parts",
            "Parts of the reward, before their weights",
            REWARD,
            parts,
        )
        .signed(),
        Chart::new("groups", "Groups by what they teach from", REWARD, kinds),
        Chart::new("flags", "Responses with a flag (%)", REWARD, flags(metrics)).up_to(100.0),
        Chart::new(
            "penalised-steps",
            "Reasoning steps penalised",
            REWARD,
            vec![line("penalised", |m| Some(m.steps_penalised as f64))],
        ),
    ]
}

/// Shares of responses with each flag, and of those that could not be scored.
fn flags(metrics: &[MetricsRecord]) -> Vec<Line> {
    let known: BTreeSet<_> = metrics.iter().flat_map(|m| m.reward.flags.keys()).collect();
    let mut lines: Vec<Line> = known
        .into_iter()
        .map(|flag| {
            let count = |m: &MetricsRecord| m.reward.flags.get(flag).copied().unwrap_or(0);
            let name = flag.name().replace('_', " ");
            steps(&name, metrics, |m| Some(percent(count(m), m.reward.scored)))
        })
        .collect();
    if metrics.iter().any(|m| m.reward.failed > 0) {
        lines.push(steps("not scored", metrics, |m| {
            Some(percent(m.reward.failed, m.reward.failed + m.reward.scored))
        }));
    }
    lines
}

fn of_updates(metrics: &[MetricsRecord]) -> Vec<Chart> {
    let chart = |id: &str, title: &str, name: &str, value: fn(&MetricsRecord) -> f64| {
        Chart::new(
            id,
            title,
            POLICY,
            vec![steps(name, metrics, |m| Some(value(m)))],
        )
    };
    vec![
        chart(
            "tokens",
            "Length of the responses (tokens)",
            "tokens",
            |m| m.mean_tokens,
        ),
        chart(
            "truncated",
            "Responses cut off by the token limit (%)",
            "cut off",
            |m| 100.0 * m.truncated,
        )
        .up_to(100.0),
        chart("entropy", "Entropy (nats per token)", "entropy", |m| {
            m.entropy
        }),
        chart("kl", "KL to the warm start (nats per token)", "KL", |m| {
            m.update.kl
        })
        .signed(),
        chart(
            "clip-fraction",
            "Tokens whose ratio was clipped (%)",
            "clipped",
            |m| 100.0 * m.update.clip_fraction,
        )
        .up_to(100.0),
        chart(
            "max-log-ratio",
            "Largest |log-ratio| of a token",
            "|log-ratio|",
            |m| m.update.max_log_ratio,
        ),
        chart("grad-norm", "Gradient norm before clipping", "norm", |m| {
            m.update.grad_norm
        }),
        chart("loss", "Objective", "loss", |m| m.update.loss).signed(),
        chart("learning-rate", "Learning rate", "learning rate", |m| {
            m.learning_rate
        }),
    ]
}

fn of_epochs(epochs: &[EpochRecord]) -> Vec<Chart> {
    let line = |name: &str, value: &dyn Fn(&EpochRecord) -> Option<f64>| Line {
        name: name.to_owned(),
        points: epochs
            .iter()
            .filter_map(|epoch| Some((epoch.step as f64, value(epoch)?)))
            .collect(),
    };
    let mut pool = vec![
        line("in the pool", &|e| Some(e.statistics.pool.active as f64)),
        line("mastered", &|e| Some(e.statistics.pool.mastered as f64)),
    ];
    if let Some(first) = epochs.first() {
        // Before the first epoch every query was in the pool.
        let all = first.statistics.pool.active + first.statistics.pool.mastered;
        pool[0].points.insert(0, (0.0, all as f64));
        pool[1].points.insert(0, (0.0, 0.0));
    }
    let moves = vec![
        line("newly mastered", &|e| {
            Some(e.statistics.newly_mastered as f64)
        }),
        line("returned", &|e| Some(e.statistics.returned as f64)),
        line("carried over", &|e| Some(e.statistics.carried_over as f64)),
    ];
    let mut difficulty = vec![line("all", &|e| Some(e.statistics.pool.mean_difficulty))];
    difficulty.extend(classes(epochs).into_iter().map(|class| {
        let mean = |epoch: &EpochRecord| {
            let mut known = epoch.statistics.classes.iter();
            let found = known.find(|one| label(one.class.as_deref()) == class)?;
            Some(found.pool.mean_difficulty)
        };
        line(class, &mean)
    }));
    vec![
        Chart::new(
            "pool",
            "Queries of the curriculum, epoch by epoch",
            CURRICULUM,
            pool,
        ),
        Chart::new("moves", "Queries that moved in an epoch", CURRICULUM, moves),
        Chart::new(
            "difficulty",
            "Mean difficulty of the queries",
            CURRICULUM,
            difficulty,
        )
        .up_to(1.0),
    ]
}

fn label(class: Option<&str>) -> &str {
    class.unwrap_or("unlabelled")
}

fn classes(epochs: &[EpochRecord]) -> Vec<&str> {
    let first = epochs
        .first()
        .map_or(&[][..], |epoch| &epoch.statistics.classes);
    first
        .iter()
        .map(|one| label(one.class.as_deref()))
        .collect()
}

/// The difficulties of each class, epoch by epoch.
pub(crate) fn difficulties(epochs: &[EpochRecord]) -> Vec<Difficulty> {
    let of_class = |(place, class): (usize, &str)| Difficulty {
        class: class.to_owned(),
        epochs: epochs.iter().map(|epoch| epoch.statistics.epoch).collect(),
        counts: epochs
            .iter()
            .map(|epoch| {
                let found = epoch.statistics.classes.get(place);
                found.map_or_else(Vec::new, |one| one.pool.histogram.to_vec())
            })
            .collect(),
    };
    classes(epochs)
        .into_iter()
        .enumerate()
        .map(of_class)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::measures::DRAWN;
    use super::*;
    use serde_json::Value;

    fn record(step: u64) -> MetricsRecord {
        let record = serde_json::json!({
            "step": step, "epoch": 1, "queries": 4, "learning_rate": 0.1, "accuracy": 0.5,
            "groups_with_hit": 2, "groups_shaped_only": 1, "groups_without_signal": 1, "steps_penalised": 3,
            "mean_tokens": 12.0, "truncated": 0.25, "entropy": 1.0, "loss": 0.0, "kl": 0.0, "clip_fraction": 0.0,
            "max_log_ratio": 0.0, "grad_norm": 1.0,
            "reward": {"scored": 8, "failed": 2, "hits": 4, "flags": {"no_box": 2}, "total": 0.5, "format": 0.25,
                "ndcg": 0.5, "ranking": 0.4, "query_alignment": null, "preference_alignment": null},
        });
        serde_json::from_value(record).unwrap()
    }

    fn find<'a>(charts: &'a [Chart], id: &str) -> &'a Chart {
        charts.iter().find(|chart| chart.id == id).unwrap()
    }

    #[test]
    fn values_are_drawn_where_they_are_and_shares_are_percent() {
        let charts = charts(&[record(1), record(2)], &[], &[]);
        let accuracy = find(&charts, "rollout-accuracy");
        assert_eq!(accuracy.lines[0].points, [(1.0, 50.0), (2.0, 50.0)]);
        assert_eq!((accuracy.least, accuracy.most), (Some(0.0), Some(100.0)));
        // 2 of 8 scored responses have no box; 2 of 10 were not scored.
        let flags = find(&charts, "flags");
        let shares: Vec<(&str, f64)> = flags
            .lines
            .iter()
            .map(|line| (line.name.as_str(), line.points[0].1))
            .collect();
        assert_eq!(shares, [("no box", 25.0), ("not scored", 20.0)]);
        // The reward has no alignments here: no lines of nothing.
        let parts: Vec<_> = find(&charts, "reward-parts")
            .lines
            .iter()
            .map(|l| &l.name)
            .collect();
        assert_eq!(parts, ["format", "ranking"]);
        assert!(charts.iter().all(|chart| chart.id != "validation-accuracy"));
    }

    #[test]
    fn every_number_of_a_step_is_in_a_chart() {
        let Ok(Value::Object(fields)) = serde_json::to_value(record(1)) else {
            panic!("a record is an object")
        };
        let drawn: BTreeSet<&str> = DRAWN.into_iter().collect();
        let charts = charts(&[record(1)], &[], &[]);
        for name in fields.keys().filter(|name| !drawn.contains(name.as_str())) {
            let id = name.replace('_', "-");
            assert!(charts.iter().any(|chart| chart.id == id), "{name}");
        }
    }

    #[test]
    fn every_number_of_an_evaluation_is_in_a_chart() {
        let mut evaluation = crate::comparison::evaluation(Phase::Reinforcement);
        (evaluation.overall.right, evaluation.overall.asked) = (3, 8);
        evaluation.without_answer = 2;
        let class = evaluation.classes.entry("explicit".into()).or_default();
        (class.right, class.asked) = (1, 4);
        let charts = charts(&[], &[], &[evaluation]);
        let lines = |id: &str| -> Vec<(String, f64)> {
            let lines = &find(&charts, id).lines;
            lines
                .iter()
                .map(|line| (line.name.clone(), line.points[0].1))
                .collect()
        };
        let named = |name: &str, value| (name.to_owned(), value);
        let accuracies = [
            named("all", 37.5),
            named("explicit", 25.0),
            named("guess", 0.0),
        ];
        assert_eq!(lines("validation-accuracy"), accuracies);
        // Two of eight; lengths and NDCG are means.
        assert_eq!(lines("validation-without-answer"), [named("all", 25.0)]);
        assert_eq!(lines("validation-mean-tokens"), [named("all", 0.0)]);
        assert_eq!(find(&charts, "validation-ndcg").title, "Validation: NDCG");
        assert!(charts.iter().all(|chart| !chart.id.contains("asked")));
    }

    #[test]
    fn a_class_has_one_place_in_all_charts() {
        let mut evaluation = crate::comparison::evaluation(Phase::Reinforcement);
        for class in ["demographics", "explicit", "interest"] {
            evaluation.classes.entry(class.into()).or_default().asked = 4;
        }
        let charts = charts(&[], &[], &[evaluation]);
        let names = |id: &str| -> Vec<String> {
            let lines = &find(&charts, id).lines;
            lines.iter().map(|line| line.name.clone()).collect()
        };
        let ndcg = names("validation-ndcg");
        assert_eq!(ndcg, ["all", "explicit", "interest", "demographics"]);
        assert!(names("validation-accuracy").starts_with(&ndcg));
    }
}
