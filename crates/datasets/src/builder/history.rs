//! What a prompt shows of what the asking user liked before.

use rand::seq::IteratorRandom;
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Item, ItemIndex};

use super::QueryBuilder;
use super::draft::Draft;
use crate::audience::Like;
use crate::obstacle::Obstacle;

/// The fewest items of a history before it is cut.
const FEWEST: usize = 2;

impl<'a> QueryBuilder<'a> {
    /// Gives a draft the history of whoever asks.
    pub(super) fn add_history(
        &self,
        draft: &mut Draft,
        rng: &mut ChaCha8Rng,
    ) -> Result<(), Obstacle> {
        let asker = self.asker(draft.target, draft.asker, rng)?;
        let others = self
            .liked_before(asker)
            .filter(|like| !draft.mentions(like.item));
        let history = match asker.time {
            Some(_) => latest(others, self.config.history_items),
            None => others.sample(rng, self.config.history_items),
        };
        if history.len() < FEWEST {
            return Err(Obstacle::ShortHistory);
        }
        draft.history = history.iter().map(|like| like.item).collect();
        draft.asker = Some(asker);
        let kept = self.kept(draft)?;
        draft.history.drain(..draft.history.len() - kept);
        Ok(())
    }

    /// How many of the last items fit the budget.
    fn kept(&self, draft: &Draft) -> Result<usize, Obstacle> {
        let Some(budget) = self.config.history_tokens else {
            return Ok(draft.history.len());
        };
        let user = draft.asker.map(|asker| asker.user);
        let shown = self.shown_history(&draft.history, user);
        // A template that cannot be filled is told when the prompt is made, of the same items.
        let lines = self.prompts.liked(&shown).unwrap_or_default();
        let kept = fitting(
            lines.iter().map(|line| (self.context.count_tokens)(line)),
            budget,
        );
        match kept {
            0 => Err(Obstacle::HistoryBudget),
            kept => Ok(kept),
        }
    }

    /// The items with the ratings of a user.
    pub(super) fn shown_history(
        &self,
        history: &[ItemIndex],
        user: Option<usize>,
    ) -> Vec<(&'a Item, Option<f64>)> {
        let likes = user.map_or(&[][..], |user| self.audience.likes(user));
        let rating = |item| {
            likes
                .iter()
                .find(|like| like.item == item)
                .map(|like| like.rating.rating)
        };
        let shown = history.iter().map(|&item| (self.item(item), rating(item)));
        shown.collect()
    }
}

/// The last ones by time, in its order.
fn latest<'l, 'a>(likes: impl Iterator<Item = &'l Like<'a>>, count: usize) -> Vec<&'l Like<'a>> {
    let mut likes: Vec<&Like<'_>> = likes.collect();
    likes.sort_by_key(|like| like.rating.time);
    likes.split_off(likes.len().saturating_sub(count))
}

/// How many of the last lines fit the budget.
pub(crate) fn fitting(lines: impl DoubleEndedIterator<Item = usize>, budget: usize) -> usize {
    let mut sum = 0usize;
    let fits = |tokens: &usize| {
        sum = sum.saturating_add(*tokens);
        sum <= budget
    };
    lines.rev().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn the_last_lines_that_fit_stay() {
        for (budget, kept) in [(2, 0), (3, 1), (5, 1), (7, 2), (8, 2), (100, 3)] {
            assert_eq!(fitting([5, 4, 3].into_iter(), budget), kept, "{budget}");
        }
    }
}
