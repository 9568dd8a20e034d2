//! The batches of the supervised warm start.

use rand::seq::SliceRandom;
use rerec_datasets::{Dataset, Drill};
use rerec_policy::{Prompt, Schedule, SupervisedExample, random_stream};

use crate::config::{ReadingConfig, WarmStartConfig};
use crate::error::Result;

/// Drills of reading, then demonstrations and drills, each in seeded order. A step's batch depends on its number alone, so that a
/// resumed run sees what it would have seen.
#[derive(Debug)]
pub(crate) struct WarmStart<'a> {
    config: &'a WarmStartConfig,
    dataset: &'a Dataset,
    seed: u64,
    schedule: Schedule,
    reading: Option<(ReadingConfig, Schedule)>,
}

/// What a step learns.
enum Stage<'s> {
    /// The step of reading, counted from 0.
    Reading(u64, &'s ReadingConfig, &'s Schedule),
    /// The step on demonstrations and drills, counted from 0.
    Answers(u64),
}

impl<'a> WarmStart<'a> {
    pub(crate) fn new(
        config: &'a WarmStartConfig,
        dataset: &'a Dataset,
        seed: u64,
    ) -> Result<Self> {
        let schedule = |rate, decay| Schedule::new(rate, config.warmup, decay);
        let reading = config.reading.map(|reading| {
            let decay = reading.schedule.unwrap_or(config.schedule);
            Ok::<_, crate::Error>((reading, schedule(reading.learning_rate, decay)?))
        });
        Ok(Self {
            config,
            dataset,
            seed,
            schedule: schedule(config.learning_rate, config.schedule)?,
            reading: reading.transpose()?,
        })
    }

    fn stage(&self, step: u64) -> Stage<'_> {
        let first = self.config.reading_steps();
        match &self.reading {
            Some((reading, schedule)) if step < first => Stage::Reading(step, reading, schedule),
            _ => Stage::Answers(step - first),
        }
    }

    /// The examples of step `step`, counted from 0.
    pub(crate) fn batch(&self, step: u64) -> Vec<SupervisedExample<'a>> {
        let Dataset {
            demonstrations,
            drills,
            reading,
            ..
        } = self.dataset;
        match self.stage(step) {
            Stage::Reading(step, config, _) => self
                .drilled("reading", step, config.drills, reading)
                .collect(),
            Stage::Answers(step) => {
                let (count, len) = (self.config.demonstrations, demonstrations.len());
                let shown = self.indices("demonstrations", step, count, len);
                let shown = shown.into_iter().map(|i| SupervisedExample {
                    prompt: Prompt::Chat(&demonstrations[i].conversation),
                    response: &demonstrations[i].response,
                    learned: None,
                });
                let kept = self.config.reading.map_or(0, |reading| reading.kept);
                shown
                    .chain(self.drilled("drills", step, self.config.drills, drills))
                    .chain(self.drilled("kept reading", step, kept, reading))
                    .collect()
            }
        }
    }

    fn drilled(
        &self,
        purpose: &str,
        step: u64,
        count: usize,
        drills: &'a [Drill],
    ) -> impl Iterator<Item = SupervisedExample<'a>> {
        let drilled = self.indices(purpose, step, count, drills.len());
        drilled.into_iter().map(|i| SupervisedExample {
            prompt: (&drills[i].prompt).into(),
            response: &drills[i].response,
            learned: drills[i].learned.as_deref(),
        })
    }

    /// Positions `step * count ..` of an endless sequence of shuffled passes over `0..len`.
    fn indices(&self, purpose: &str, step: u64, count: usize, len: usize) -> Vec<usize> {
        if len == 0 {
            return Vec::new();
        }
        let first = step * count as u64;
        let (mut pass, mut order) = (None, Vec::new());
        let place = |at: u64| {
            let wanted = at / len as u64;
            // Shuffled when the batch enters a pass: once or twice, unless the data are smaller
            // than it.
            if pass != Some(wanted) {
                order = (0..len).collect();
                order.shuffle(&mut random_stream(self.seed, purpose, "", wanted));
                pass = Some(wanted);
            }
            order[(at % len as u64) as usize]
        };
        (first..first + count as u64).map(place).collect()
    }

    pub(crate) fn learning_rate(&self, step: u64) -> f64 {
        match self.stage(step) {
            Stage::Reading(step, config, schedule) => schedule.rate(step, config.steps),
            Stage::Answers(step) => self.schedule.rate(step, self.config.steps),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drill(prompt: &str) -> Drill {
        Drill {
            prompt: prompt.to_owned(),
            response: String::new(),
            learned: None,
        }
    }

    #[test]
    fn reading_comes_first_and_has_a_rate_of_its_own() {
        let config: WarmStartConfig = toml::from_str(
            "reading = { steps = 2, drills = 3, learning_rate = 0.1, schedule = { kind = 'constant' }, kept = 1 }\nsteps = 4\ndemonstrations = 1\ndrills = 2\n\
             learning_rate = 1.0\nwarmup = 0",
        )
        .unwrap();
        let data = Dataset {
            drills: vec![drill("fact")],
            reading: vec![drill("read"), drill("read")],
            ..Dataset::default()
        };
        let lessons = WarmStart::new(&config, &data, 0).unwrap();
        let prompts = |step| {
            let batch = lessons.batch(step);
            let text = |one: &SupervisedExample<'_>| match one.prompt {
                Prompt::User(text) => text.to_owned(),
                _ => String::new(),
            };
            batch.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(prompts(0), ["read"; 3]);
        assert_eq!(prompts(1), ["read"; 3]);
        assert_eq!(prompts(2), ["fact", "fact", "read"]);
        // Reading keeps its rate, as it says; the rest begins at its own and falls over its own steps.
        let rates = [0, 1, 2, 4].map(|step| lessons.learning_rate(step));
        approx::assert_abs_diff_eq!(rates[..], [0.1, 0.1, 1.0, 0.5][..], epsilon = 1e-12);
        assert_eq!(config.all_steps(), 6);
        // Without a warm start there is no reading either.
        let none = WarmStartConfig { steps: 0, ..config };
        assert_eq!(none.all_steps(), 0);
    }
}
