//! What a step tries before it learns: its queries, and those that take the place of queries which teach nothing.

use rerec::{AssessedGroup, Assessment};
use rerec_policy::{Response, RolloutGroup};
use rerec_text::QueryId;

use super::{Halting, Trainer};
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::record::RefillRecord;

/// The responses to one query.
pub(super) struct Try {
    pub(super) group: RolloutGroup,
    /// The most probable response, for estimators that compare with it.
    pub(super) greedy: Option<Response>,
    /// Log-probabilities under a sampler that is not the learner, `[response][token]`; the group has the learner's.
    pub(super) sampler_log_probs: Vec<Vec<f32>>,
}

/// What a step has tried.
pub(super) struct Attempt {
    /// What it learns from.
    pub(super) kept: Vec<Try>,
    /// Of what it learns from.
    pub(super) assessed: Assessment,
    /// What taught nothing, and gave its place to another query.
    pub(super) replaced: Vec<(Try, AssessedGroup)>,
    pub(super) refill: RefillRecord,
}

impl Attempt {
    /// Every query that was tried.
    pub(super) fn assessed_groups(&self) -> impl Iterator<Item = &AssessedGroup> {
        let replaced = self.replaced.iter().map(|(_, assessed)| assessed);
        self.assessed.groups.iter().chain(replaced)
    }
}

impl Trainer<'_> {
    /// Tries a batch, and as often as the settings allow as many further queries of the epoch as groups of it teach nothing.
    pub(super) fn attempt(
        &mut self,
        batch: &[QueryId],
        epoch: u32,
        observer: &mut dyn Observer,
    ) -> Halting<Attempt> {
        let kept = self.tries(batch, epoch, observer)?;
        let mut assessed = self.assess(&kept)?;
        refuse_without_reward(&mut assessed)?;
        let mut attempt = Attempt {
            kept,
            assessed,
            replaced: Vec::new(),
            refill: RefillRecord::default(),
        };
        for _ in 0..self.config.reinforcement.refill_rounds {
            if !self.refill(&mut attempt, epoch, observer)? {
                break;
            }
        }
        if attempt.refill.dropped > 0 {
            // Together: an estimator may compare over the whole batch.
            attempt.assessed = self.assess(&attempt.kept)?;
        }
        Ok(attempt)
    }

    /// Asks as many further queries as groups teach nothing; those that teach take their places. Returns whether any was asked.
    fn refill(
        &mut self,
        attempt: &mut Attempt,
        epoch: u32,
        observer: &mut dyn Observer,
    ) -> Halting<bool> {
        let groups = &attempt.assessed.groups;
        let missing = groups.iter().filter(|group| !group.teaches).count();
        // Looked at, but not served: that is the business of the step, when it is done.
        let upcoming = self.curriculum.upcoming().skip(attempt.refill.dropped);
        let more: Vec<QueryId> = upcoming.take(missing).cloned().collect();
        if more.is_empty() {
            return Ok(false);
        }
        let tries = self.tries(&more, epoch, observer)?;
        let assessed = self.assess(&tries)?;
        attempt.refill.rounds += 1;
        attempt.refill.dropped += more.len();
        attempt.take(tries, assessed);
        Ok(true)
    }
}

impl Attempt {
    /// Puts the groups that teach in the places of those that do not, the first ones first.
    fn take(&mut self, tries: Vec<Try>, assessed: Assessment) {
        let groups = &mut self.assessed.groups;
        for (mut one, mut judged) in tries.into_iter().zip(assessed.groups) {
            // There is one: no more were asked than teach nothing.
            let idle = groups.iter().position(|group| !group.teaches);
            if let (true, Some(idle)) = (judged.teaches, idle) {
                std::mem::swap(&mut one, &mut self.kept[idle]);
                std::mem::swap(&mut judged, &mut groups[idle]);
            }
            self.replaced.push((one, judged));
        }
    }
}

/// A step of which nothing could be scored ends the run: its data are at fault, not the model.
fn refuse_without_reward(assessed: &mut Assessment) -> Result<()> {
    let mut responses = assessed
        .groups
        .iter_mut()
        .flat_map(|group| &mut group.responses);
    if responses.any(|one| one.reward.is_ok()) {
        return Ok(());
    }
    let first = assessed
        .groups
        // Drained to own the error: the assessment is not used any more.
        .drain(..)
        .flat_map(|group| group.responses)
        .next();
    match first.map(|one| one.reward) {
        Some(Err(first)) => Err(Error::NothingScored { first }),
        _ => Ok(()),
    }
}
