//! Why a query of a class cannot be formed.

use std::collections::BTreeMap;

/// What stood in the way of a query, and what would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// No item is set aside as a target.
    #[error(
        "nothing was set aside for the split; more items, users or choices, or larger shares, would do"
    )]
    NoTargets,
    /// An item has too few attributes for the conditions.
    #[error(
        "the target had fewer attributes under the relations asked about than a query has conditions; more relations or attributes, or fewer `conditions`, would do"
    )]
    FewAttributes,
    /// Too many items meet the conditions.
    #[error(
        "more items than `shared_by` allows met all conditions; a larger `shared_by`, or more `conditions`, would do"
    )]
    TooCommon,
    /// No other item can stand for the hidden value.
    #[error(
        "no other item had the hidden value as its only one under that relation; items that share values would do"
    )]
    NoAnchor,
    /// Users are not wrong about the relation.
    #[error(
        "the hidden relation was not one that users may be wrong about; `mistakable` on a relation would do"
    )]
    NotMistakable,
    /// No item fits what a misinformed user believes.
    #[error(
        "no item met the open condition with another value in place of the hidden one; more items under each value would do"
    )]
    NoDecoy,
    /// Nobody likes the target.
    #[error("no user liked the target; more ratings, or a lower `liked_from`, would do")]
    NoFans,
    /// Nobody who likes the target likes enough items that share the conditions and nothing else.
    #[error(
        "the user who liked the target liked no two other items that share its two conditions and nothing else; more ratings would do"
    )]
    NothingShared,
    /// Nobody who likes the target likes two other items.
    #[error(
        "the user who liked the target liked fewer than two other items before; more ratings, or a lower `history_share`, would do"
    )]
    ShortHistory,
    /// Not one line of the history fits.
    #[error(
        "the last title of the history takes more than `history_tokens`; more of them would do"
    )]
    HistoryBudget,
    /// There are no groups.
    #[error("there were no groups of users; groups, or `classes` without demographics, would do")]
    NoGroups,
    /// No target is what a group likes.
    #[error("no possible target had what the group likes; more items would do")]
    NothingForGroup,
    /// Too few items that do not fit.
    #[error("too few items met at most one condition; more items, or fewer `candidates`, would do")]
    FewCandidates,
}

/// How often each obstacle was met.
#[derive(Debug, Default)]
pub(crate) struct Obstacles(BTreeMap<Obstacle, usize>);

impl Obstacles {
    pub(crate) fn count(&mut self, obstacle: Obstacle) {
        *self.0.entry(obstacle).or_default() += 1;
    }

    /// The most frequent one.
    pub(crate) fn worst(&self) -> Option<(Obstacle, usize)> {
        // The map is ordered, so that of two equally frequent ones always the same is told.
        let most = self.0.iter().max_by_key(|(_, count)| **count);
        most.map(|(&obstacle, &count)| (obstacle, count))
    }
}
