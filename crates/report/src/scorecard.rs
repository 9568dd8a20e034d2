//! How answers to queries score, with intervals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rerec_datasets::QueryClass;
use rerec_rewards::{Conventions, Evaluator, Flag, ItemId, Metric, RankedQuery, Relevance};
use rerec_trainer::{AnswerRecord, JudgedAnswer};
use serde::Serialize;

use crate::bootstrap::{Estimate, bootstrap_mean};
use crate::error::Result;
use crate::table::{notes, percent};

/// Scores of answers by class, each with its 95 % interval over queries.
///
/// Of several answers to a query, accuracy and list metrics are means over them. An accuracy of one answer each has Wilson's interval,
/// everything else the percentile bootstrap's over queries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scorecard {
    /// Each class, then all queries under the name `all`.
    pub rows: Vec<ScoreRow>,
    /// Queries that name no candidates: they choose from the whole catalogue.
    pub open: usize,
    /// Queries that could not be scored because of a fault in their data. They are in no other number.
    pub unscored: usize,
}

/// The queries of a class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreRow {
    /// Its label.
    pub class: String,
    /// Queries.
    pub queries: usize,
    /// Answers to each.
    pub samples: usize,
    /// Share of right answers of a guess among the candidates.
    pub guess: f64,
    /// Share of right answers.
    pub accuracy: Estimate,
    /// Metrics of the listed items, by name.
    pub metrics: BTreeMap<String, Estimate>,
    /// Chance that one of k answers is right, by k: the powers of two up to the number of samples; empty for single answers.
    pub pass_at: BTreeMap<usize, Estimate>,
    /// Share of the answers without an item.
    pub without_answer: f64,
    /// Share of the answers that name an item outside the candidates.
    pub outside_candidates: f64,
    /// Share of the answers with a title that stands for several items.
    pub ambiguous: f64,
    /// Share of the answers that the token limit cut off.
    pub truncated: f64,
    /// Mean length of the responses in tokens; none for a baseline.
    pub mean_tokens: Option<f64>,
}

impl Scorecard {
    /// Scores answers. `metrics` are those of lists (`ndcg@10`, by the conventions of trec_eval), and `seed` draws the resamples.
    ///
    /// # Errors
    /// A metric that does not exist.
    pub fn of(records: &[AnswerRecord], metrics: &[Metric], seed: u64) -> Result<Self> {
        let lists = ListMetrics::new(metrics)?;
        let scored = || records.iter().filter(|record| !record.answers.is_empty());
        let classes: BTreeSet<&QueryClass> = scored().map(|record| &record.class).collect();
        let mut rows = Vec::with_capacity(classes.len() + 1);
        for class in classes {
            let of_class: Vec<_> = scored().filter(|record| record.class == *class).collect();
            rows.push(ScoreRow::of(
                class.label(),
                &of_class,
                lists.as_ref(),
                seed,
            )?);
        }
        rows.push(ScoreRow::of(
            "all",
            &scored().collect::<Vec<_>>(),
            lists.as_ref(),
            seed,
        )?);
        Ok(Self {
            rows,
            open: scored().filter(|record| record.open).count(),
            unscored: records.len() - scored().count(),
        })
    }
}

impl ScoreRow {
    fn of(
        class: &str,
        records: &[&AnswerRecord],
        lists: Option<&ListMetrics>,
        seed: u64,
    ) -> Result<Self> {
        let answers = || records.iter().flat_map(|record| &record.answers);
        let samples = records
            .iter()
            .map(|record| record.answers.len())
            .max()
            .unwrap_or(0);
        let share = |is: &dyn Fn(&JudgedAnswer) -> bool| {
            answers().filter(|answer| is(answer)).count() as f64 / answers().count().max(1) as f64
        };
        let flagged = |flag: Flag| share(&|answer| answer.flags.contains(&flag));
        let tokens =
            || answers().filter_map(|answer| Some(answer.response.as_ref()?.tokens as f64));
        let written = tokens().count();
        let guesses = records.iter().map(|record| record.guess());
        Ok(Self {
            class: class.to_owned(),
            queries: records.len(),
            samples,
            guess: guesses.sum::<f64>() / records.len().max(1) as f64,
            accuracy: accuracy(records, samples, seed),
            metrics: lists.map_or(Ok(BTreeMap::new()), |lists| lists.measure(records, seed))?,
            pass_at: pass_at(records, samples, seed),
            without_answer: share(&JudgedAnswer::is_missing),
            outside_candidates: flagged(Flag::OutsideCandidates),
            ambiguous: flagged(Flag::AmbiguousTitle),
            truncated: share(&JudgedAnswer::is_truncated),
            mean_tokens: (written > 0).then(|| tokens().sum::<f64>() / written as f64),
        })
    }
}

fn accuracy(records: &[&AnswerRecord], samples: usize, seed: u64) -> Estimate {
    let shares: Vec<f64> = records.iter().map(|record| record.share()).collect();
    if samples != 1 {
        return bootstrap_mean(&shares, seed);
    }
    let right = shares.iter().filter(|&&share| share > 0.0).count();
    Estimate::of_share(right, shares.len())
}

fn pass_at(records: &[&AnswerRecord], samples: usize, seed: u64) -> BTreeMap<usize, Estimate> {
    let powers = std::iter::successors(Some(1), |k| Some(2 * k));
    let powers = powers.take_while(|&k| samples > 1 && k <= samples);
    powers
        .map(|k| {
            let values = records.iter().filter_map(|record| record.pass_at(k));
            (k, bootstrap_mean(&values.collect::<Vec<_>>(), seed))
        })
        .collect()
}

/// Metrics of the listed items.
struct ListMetrics(Evaluator);

/// An item of a list, or a rank that holds none: ranks without an item differ from each other.
type Listed<'a> = Result<&'a ItemId, usize>;

impl ListMetrics {
    /// None where nothing is asked for.
    fn new(metrics: &[Metric]) -> Result<Option<Self>> {
        if metrics.is_empty() {
            return Ok(None);
        }
        let evaluator = Evaluator::new(metrics.to_vec(), Conventions::trec_eval())?;
        Ok(Some(Self(evaluator)))
    }

    /// Each metric, its mean over the answers to a query taken as one value.
    fn measure(&self, records: &[&AnswerRecord], seed: u64) -> Result<BTreeMap<String, Estimate>> {
        let values = records.iter().map(|record| self.of_query(record));
        let values = values.collect::<Result<Vec<Vec<f64>>>>()?;
        let metrics = self.0.metrics().iter().enumerate();
        Ok(metrics
            .map(|(place, metric)| {
                let column: Vec<f64> = values.iter().map(|row| row[place]).collect();
                (metric.to_string(), bootstrap_mean(&column, seed))
            })
            .collect())
    }

    fn of_query(&self, record: &AnswerRecord) -> Result<Vec<f64>> {
        let targets: Vec<Listed<'_>> = record.targets.iter().map(Ok).collect();
        let mut means = vec![0.0; self.0.metrics().len()];
        for answer in &record.answers {
            let ranks = answer.ranking.iter().enumerate();
            let ranked: Vec<Listed<'_>> = ranks
                .map(|(rank, item)| item.as_ref().ok_or(rank))
                .collect();
            let query = RankedQuery {
                ranked: &ranked,
                relevance: Relevance::Items(&targets),
            };
            for (mean, value) in means.iter_mut().zip(self.0.evaluate(&query)?) {
                *mean += value / record.answers.len() as f64;
            }
        }
        Ok(means)
    }
}

impl fmt::Display for Scorecard {
    /// A Markdown table in percent, intervals in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(all) = self.rows.last() else {
            return Ok(());
        };
        let metrics: Vec<&String> = all.metrics.keys().collect();
        let passes: Vec<usize> = all.pass_at.keys().copied().filter(|&k| k > 1).collect();
        write!(f, "| query class | queries | guess | accuracy |")?;
        passes.iter().try_for_each(|k| write!(f, " pass@{k} |"))?;
        metrics.iter().try_for_each(|name| write!(f, " {name} |"))?;
        writeln!(f, " no answer | outside | ambiguous | cut off | tokens |")?;
        write!(f, "|---|")?;
        let columns = 8 + passes.len() + metrics.len();
        writeln!(f, "{}", "---:|".repeat(columns))?;
        for row in &self.rows {
            write!(
                f,
                "| {} | {} | {} | {} |",
                row.class,
                row.queries,
                percent(row.guess),
                row.accuracy
            )?;
            for k in &passes {
                cell(f, row.pass_at.get(k))?;
            }
            for &name in &metrics {
                cell(f, row.metrics.get(name))?;
            }
            let shares = [
                row.without_answer,
                row.outside_candidates,
                row.ambiguous,
                row.truncated,
            ];
            shares
                .iter()
                .try_for_each(|&share| write!(f, " {} |", percent(share)))?;
            let tokens = row
                .mean_tokens
                .map_or("–".to_owned(), |mean| format!("{mean:.0}"));
            writeln!(f, " {tokens} |")?;
        }
        f.write_str(&notes(self.open, self.unscored))
    }
}

fn cell(f: &mut fmt::Formatter<'_>, estimate: Option<&Estimate>) -> fmt::Result {
    match estimate {
        Some(estimate) => write!(f, " {} |", percent(estimate.value)),
        None => write!(f, " – |"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::wilson;
    use approx::assert_abs_diff_eq;
    use rerec_rewards::MetricKind;

    /// A query whose answers list the items of `lists`; `t` is right.
    fn record(class: QueryClass, lists: &[&[&str]]) -> AnswerRecord {
        let answer = |items: &&[&str]| JudgedAnswer {
            ranking: items
                .iter()
                .map(|&id| (id != "?").then(|| id.into()))
                .collect(),
            right: items.first() == Some(&"t"),
            ndcg: 0.0,
            flags: if items.contains(&"?") {
                vec![Flag::OutsideCandidates]
            } else {
                Vec::new()
            },
            response: None,
        };
        AnswerRecord {
            query: "q".into(),
            class,
            targets: vec!["t".into()],
            choices: 4,
            cutoff: 1,
            open: false,
            answers: lists.iter().map(answer).collect(),
            error: None,
        }
    }

    #[test]
    fn single_answers_have_the_interval_of_wilson() {
        let mut records = vec![
            record(QueryClass::EXPLICIT, &[&["t"]]),
            record(QueryClass::EXPLICIT, &[&["?", "t"]]),
            record(QueryClass::INTEREST, &[&[]]),
        ];
        records.push(AnswerRecord {
            error: Some("no target".to_owned()),
            ..record(QueryClass::INTEREST, &[])
        });
        let metrics = [MetricKind::Ndcg.at(5), MetricKind::Mrr.whole()];
        let card = Scorecard::of(&records, &metrics, 1).unwrap();
        let labels: Vec<&str> = card.rows.iter().map(|row| &*row.class).collect();
        assert_eq!(
            (labels, card.unscored),
            (vec!["explicit", "interest", "all"], 1)
        );
        let (explicit, all) = (&card.rows[0], &card.rows[2]);
        assert_eq!((all.queries, all.guess), (3, 0.25));
        assert_eq!((all.accuracy.low, all.accuracy.high), wilson(1, 3));
        assert_eq!(
            (explicit.outside_candidates, card.rows[1].without_answer),
            (0.5, 1.0)
        );
        // 1 and 1/2: the rank without an item counts.
        assert_abs_diff_eq!(explicit.metrics["mrr"].value, 0.75);
        assert_abs_diff_eq!(
            explicit.metrics["ndcg@5"].value,
            (1.0 + 1.0 / 3f64.log2()) / 2.0,
            epsilon = 1e-12
        );
        assert!(all.pass_at.is_empty());
    }

    #[test]
    fn several_answers_give_their_mean_and_pass_at_k() {
        let records = [record(
            QueryClass::EXPLICIT,
            &[&["t"], &["a"], &["a"], &["a"]],
        )];
        let card = Scorecard::of(&records, &[], 1).unwrap();
        let row = &card.rows[0];
        assert_eq!((row.samples, row.accuracy.value), (4, 0.25));
        let passes: Vec<(usize, f64)> = row
            .pass_at
            .iter()
            .map(|(&k, pass)| (k, pass.value))
            .collect();
        assert_eq!(passes, [(1, 0.25), (2, 0.5), (4, 1.0)]);
    }

    #[test]
    fn the_table_says_what_was_left_out() {
        let mut open = record(QueryClass::EXPLICIT, &[&["t"]]);
        open.open = true;
        let faulty = record(QueryClass::EXPLICIT, &[]);
        let table = Scorecard::of(&[open, faulty], &[MetricKind::HitRate.at(10)], 1)
            .unwrap()
            .to_string();
        let expected = "\
| query class | queries | guess | accuracy | hit_rate@10 | no answer | outside | ambiguous | cut off | tokens |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| explicit | 1 | 25.0 | 100.0 [20.7, 100.0] | 100.0 | 0.0 | 0.0 | 0.0 | 0.0 | – |
| all | 1 | 25.0 | 100.0 [20.7, 100.0] | 100.0 | 0.0 | 0.0 | 0.0 | 0.0 | – |

1 of the queries name no candidates: they choose from the whole catalogue.

1 queries could not be scored and are left out: their data are at fault.
";
        assert_eq!(table, expected);
    }
}
