//! Scores ranked lists of recommendations: `cargo run -p rerec-examples --example score_a_list`.
#![allow(clippy::print_stdout)]

use rerec_rewards::{
    Conventions, Error, Evaluator, MetricKind, QueryOutcome, RankedQuery, Relevance,
};

fn main() -> Result<(), Error> {
    let metrics = vec![
        MetricKind::Ndcg.at(3),
        MetricKind::Recall.at(3),
        MetricKind::Mrr.whole(),
    ];
    let evaluator = Evaluator::new(metrics, Conventions::recbole())?;

    // Best first. Any type of id will do; an item listed twice counts once.
    let queries = [
        RankedQuery {
            ranked: &["Heat", "Casino", "Alien", "Thief"],
            relevance: Relevance::Items(&["Alien", "Thief"]),
        },
        RankedQuery {
            ranked: &["Alien", "Alien", "Heat"],
            relevance: Relevance::Grades(&[("Heat", 3.0), ("Casino", 1.0)]),
        },
        RankedQuery {
            ranked: &["Heat"],
            relevance: Relevance::Items(&[]),
        },
    ];
    let evaluation = evaluator.evaluate_batch(&queries)?;

    for (column, metric) in evaluation.metrics().iter().enumerate() {
        print!("{:10}", metric.to_string());
        for query in 0..queries.len() {
            let value = evaluation.values(query).map(|values| values[column]);
            print!(
                "{}",
                value.map_or("         -".to_owned(), |value| format!("{value:10.4}"))
            );
        }
        println!("{:>12.4}", evaluation.means()[column].unwrap_or(f64::NAN));
    }
    println!(
        "left out because nothing is relevant: {}",
        evaluation.count(QueryOutcome::Excluded)
    );
    Ok(())
}
