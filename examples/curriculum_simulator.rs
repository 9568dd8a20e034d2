//! Which schedule is worth its accelerator time? Simulated learners answer before the real one trains.
//!
//! 1. Bookkeeping: how many of 10,000 queries does the authors' released schedule lose, and how many does ours?
//! 2. Order: how many steps does a learner of item-response skills need to its target under each schedule?
//!
//! `cargo run --release -p rerec-examples --example curriculum_simulator [SEEDS]`
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use rerec_curriculum::simulator::{
    DriftingLearner, ItemResponseConfig, ItemResponseLearner, ReleasedSchedule, Schedule,
    steps_to_accuracy, train_epoch,
};
use rerec_curriculum::{Curriculum, CurriculumConfig, OrderConfig, QueryId, Recheck};

const ROLLOUTS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let seeds: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(10), |seeds| seeds.parse())?;
    queries_lost(seeds.min(10))?;
    let steadfast = ItemResponseConfig::default();
    let forgetful = ItemResponseConfig {
        forgetting: 0.002,
        ..steadfast
    };
    for target in [0.6, 0.9] {
        steps_to_target(seeds, target, "nothing forgotten", steadfast)?;
        steps_to_target(
            seeds,
            target,
            "0.2 % of familiarity forgotten in each step",
            forgetful,
        )?;
    }
    Ok(())
}

/// Queries that are neither mastered nor ever served again, of 10,000 in batches of 512.
fn queries_lost(seeds: u64) -> Result<(), Box<dyn Error>> {
    println!("Queries lost of 10,000 (mean over {seeds} seeds, range)");
    for gain in [0.0, 0.01, 0.03] {
        let mut released = Vec::new();
        let mut ours = Vec::new();
        for seed in 0..seeds {
            released.push(lost_by_released(gain, seed)? as f64);
            ours.push(lost_by_ours(gain, seed)? as f64);
        }
        let (mean, _) = mean_and_errors(&released);
        let range = released
            .iter()
            .fold((f64::MAX, f64::MIN), |(l, h), &x| (l.min(x), h.max(x)));
        let most = ours.iter().fold(0.0, |most: f64, &lost| most.max(lost));
        println!(
            "  +{gain:.2} an epoch   released schedule {mean:>6.0} ({:.0} to {:.0})   ours at most {most:.0}",
            range.0, range.1
        );
    }
    Ok(())
}

fn ids() -> impl Iterator<Item = QueryId> {
    (0..10_000).map(|query| QueryId::from(query.to_string()))
}

/// Until its pool is first reset to the whole data set.
fn lost_by_released(gain: f64, seed: u64) -> Result<usize, Box<dyn Error>> {
    let mut learner = DriftingLearner::new(10_000, gain, seed);
    let mut schedule = ReleasedSchedule::new(0.1, 512, ids());
    loop {
        train_epoch(&mut schedule, &mut learner, ROLLOUTS)?;
        if let Some(lost) = schedule.lost_at_first_reset() {
            return Ok(lost);
        }
    }
}

/// Over as many epochs as the released schedule takes; a query is lost when it is not mastered and not in the epoch.
fn lost_by_ours(gain: f64, seed: u64) -> Result<usize, Box<dyn Error>> {
    let mut learner = DriftingLearner::new(10_000, gain, seed);
    let mut curriculum = Curriculum::new(CurriculumConfig::default(), ids())?;
    let mut lost = 0;
    for _ in 0..16 {
        train_epoch(&mut curriculum, &mut learner, ROLLOUTS)?;
        let active = curriculum.statistics().active;
        let mut served = 0;
        for id in curriculum.upcoming() {
            served += usize::from(!curriculum.is_mastered(id)?);
        }
        lost = lost.max(active - served);
    }
    Ok(lost)
}

/// Steps of 32 queries to an accuracy on 2,000, and the difference to a filtered random order on the same seeds.
fn steps_to_target(
    seeds: u64,
    target: f64,
    title: &str,
    learner: ItemResponseConfig,
) -> Result<(), Box<dyn Error>> {
    println!(
        "\nSteps to {:.0} % accuracy, {title}: mean ± 1.96 standard errors over {seeds} seeds, difference to the first",
        100.0 * target
    );
    let plain = |order| CurriculumConfig {
        batch_size: 32,
        order,
        tau: -1.0,
        ..CurriculumConfig::default()
    };
    let filtered = |order| CurriculumConfig {
        batch_size: 32,
        order,
        ..CurriculumConfig::default()
    };
    let never = |order| CurriculumConfig {
        recheck: Recheck::Never,
        ..filtered(order)
    };
    let schedules = [
        ("random, filter", Some(filtered(OrderConfig::Random))),
        ("easy first, filter", Some(filtered(OrderConfig::EasyFirst))),
        ("hard first, filter", Some(filtered(OrderConfig::HardFirst))),
        ("frontier, filter", Some(filtered(OrderConfig::Frontier))),
        ("progress, filter", Some(filtered(OrderConfig::Progress))),
        (
            "easy first, filter, no re-check",
            Some(never(OrderConfig::EasyFirst)),
        ),
        ("random, no filter", Some(plain(OrderConfig::Random))),
        ("easy first, no filter", Some(plain(OrderConfig::EasyFirst))),
        ("released schedule", None),
    ];
    let mut baseline: Option<Vec<f64>> = None;
    for (name, config) in schedules {
        let steps = (0..seeds).map(|seed| steps(config.clone(), learner, target, seed));
        let steps = steps.collect::<Result<Vec<Option<usize>>, _>>()?;
        let reached: Option<Vec<f64>> = steps
            .iter()
            .map(|steps| steps.map(|steps| steps as f64))
            .collect();
        let Some(reached) = reached else {
            let missed = steps.iter().filter(|steps| steps.is_none()).count();
            println!("  {name:<32} not within {MOST} steps on {missed} of {seeds} seeds");
            continue;
        };
        let (mean, errors) = mean_and_errors(&reached);
        let baseline = baseline.get_or_insert_with(|| reached.clone());
        let differences: Vec<f64> = reached
            .iter()
            .zip(baseline)
            .map(|(ours, theirs)| ours - *theirs)
            .collect();
        let (difference, difference_errors) = mean_and_errors(&differences);
        println!(
            "  {name:<32} {mean:>6.0} ± {errors:>3.0}   {difference:>+6.0} ± {difference_errors:>3.0}"
        );
    }
    Ok(())
}

const MOST: usize = 5_000;

fn steps(
    config: Option<CurriculumConfig>,
    learner: ItemResponseConfig,
    target: f64,
    seed: u64,
) -> Result<Option<usize>, rerec_curriculum::Error> {
    let mut learner = ItemResponseLearner::new(learner, 2_000, seed);
    let queries = learner.queries();
    let mut schedule: Box<dyn Schedule> = match config {
        Some(config) => Box::new(Curriculum::new(
            CurriculumConfig { seed, ..config },
            queries,
        )?),
        None => Box::new(ReleasedSchedule::new(
            0.1,
            32,
            queries.into_iter().map(|query| query.id),
        )),
    };
    steps_to_accuracy(schedule.as_mut(), &mut learner, ROLLOUTS, target, MOST)
}

/// Mean and 1.96 of its standard errors: half of a 95 % interval, were the seeds many.
fn mean_and_errors(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (n - 1.0).max(1.0);
    (mean, 1.96 * (variance / n).sqrt())
}
