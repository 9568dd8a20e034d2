//! What a query of each class is about, before the candidates are drawn.

use rand::RngExt;
use rand::seq::{IndexedRandom, IteratorRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Attribute, ItemIndex};

use super::{HISTORY, QueryBuilder};
use crate::facts::{FactId, FactPair};
use crate::intent::Evidence;
use crate::obstacle::Obstacle;
use crate::query_class::QueryClass;

/// The target, its conditions and how they are told.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) target: ItemIndex,
    pub(super) pair: FactPair,
    pub(super) evidence: Evidence,
    pub(super) anchor: Option<ItemIndex>,
    pub(super) history: Vec<ItemIndex>,
    /// Of a misinformed query: the conditions as the prompt would have them.
    pub(super) believed: Option<FactPair>,
    /// The only candidate that meets the believed conditions.
    pub(super) decoy: Option<ItemIndex>,
}

impl Draft {
    fn new(target: ItemIndex, pair: FactPair, evidence: Evidence) -> Self {
        Self {
            target,
            pair,
            evidence,
            anchor: None,
            history: Vec::new(),
            believed: None,
            decoy: None,
        }
    }

    /// Whether an item already has a part in the query.
    pub(super) fn mentions(&self, item: ItemIndex) -> bool {
        item == self.target
            || self.anchor == Some(item)
            || self.decoy == Some(item)
            || self.history.contains(&item)
    }
}

impl QueryBuilder<'_> {
    /// One try, or why what was drawn does not lead to a query of the class.
    pub(super) fn draft(
        &self,
        class: &QueryClass,
        targets: &[ItemIndex],
        rng: &mut ChaCha8Rng,
    ) -> Result<Draft, Obstacle> {
        if *class == QueryClass::DEMOGRAPHICS {
            return self.group_draft(targets, rng);
        }
        let &target = targets.choose(rng).ok_or(Obstacle::NoTargets)?;
        let pair = self.facts.draw_pair(target, rng);
        let pair = pair.ok_or(Obstacle::FewAttributes)?;
        if *class == QueryClass::IMPLICIT {
            self.shared_draft(target, pair, rng)
        } else if *class == QueryClass::MISINFORMED {
            self.belief_draft(target, pair, rng)
        } else if *class == QueryClass::INTEREST {
            self.liked_draft(target, pair, rng)
        } else {
            Ok(Draft::new(target, pair, Evidence::Named))
        }
    }

    fn shared_draft(
        &self,
        target: ItemIndex,
        pair: FactPair,
        rng: &mut ChaCha8Rng,
    ) -> Result<Draft, Obstacle> {
        let hidden = pair[rng.random_range(0..pair.len())];
        let anchor = self.anchor(target, hidden, rng)?;
        let evidence = Evidence::Shared {
            anchor: self.id(anchor),
            condition: self.attribute(hidden),
        };
        Ok(Draft {
            anchor: Some(anchor),
            ..Draft::new(target, pair, evidence)
        })
    }

    fn belief_draft(
        &self,
        target: ItemIndex,
        pair: FactPair,
        rng: &mut ChaCha8Rng,
    ) -> Result<Draft, Obstacle> {
        let place = rng.random_range(0..pair.len());
        let (hidden, kept) = (pair[place], pair[1 - place]);
        if !self
            .wording
            .is_mistakable(&self.facts.fact(hidden).relation)
        {
            return Err(Obstacle::NotMistakable);
        }
        let anchor = self.anchor(target, hidden, rng)?;
        let holders = self.facts.holders(kept).iter().copied();
        let decoy = holders
            .filter(|&item| item != anchor && !self.facts.has(item, hidden))
            .choose(rng)
            .ok_or(Obstacle::NoDecoy)?;
        let is_wrong =
            |fact: &FactId| !self.facts.has(target, *fact) && !self.facts.has(anchor, *fact);
        let believed = self
            .facts
            .values_like(decoy, hidden)
            .filter(is_wrong)
            .choose(rng)
            .ok_or(Obstacle::NoDecoy)?;
        let mut believed_pair = pair;
        believed_pair[place] = believed;
        let evidence = Evidence::Belief {
            anchor: self.id(anchor),
            condition: self.attribute(hidden),
            believed: self.attribute(believed),
        };
        Ok(Draft {
            anchor: Some(anchor),
            believed: Some(believed_pair),
            decoy: Some(decoy),
            ..Draft::new(target, pair, evidence)
        })
    }

    /// Another item by which the hidden value can be told: it has that value alone.
    fn anchor(
        &self,
        target: ItemIndex,
        hidden: FactId,
        rng: &mut ChaCha8Rng,
    ) -> Result<ItemIndex, Obstacle> {
        let holders = self.facts.holders(hidden).iter().copied();
        holders
            .filter(|&item| item != target && self.facts.is_sole_value(item, hidden))
            .choose(rng)
            .ok_or(Obstacle::NoAnchor)
    }

    /// A user who likes the target likes other items that share the conditions and nothing else.
    fn liked_draft(
        &self,
        target: ItemIndex,
        pair: FactPair,
        rng: &mut ChaCha8Rng,
    ) -> Result<Draft, Obstacle> {
        let fans = self.audience.fans(target);
        let &user = fans.choose(rng).ok_or(Obstacle::NoFans)?;
        let likes = self.audience.likes(user).iter().copied();
        let fitting = likes.filter(|&item| item != target && self.facts.met(item, pair) == 2);
        let shown = rng.random_range(HISTORY);
        let mut history = fitting.sample(rng, shown);
        history.shuffle(rng);
        let [first, others @ ..] = history.as_slice() else {
            return Err(Obstacle::NothingShared);
        };
        let is_shared = |fact: FactId| others.iter().all(|&item| self.facts.has(item, fact));
        let shared = self
            .facts
            .of(*first)
            .iter()
            .filter(|&&fact| is_shared(fact));
        if others.is_empty() || !shared.eq(&pair) {
            return Err(Obstacle::NothingShared);
        }
        Ok(Draft {
            history,
            ..Draft::new(target, pair, Evidence::Liked)
        })
    }

    fn group_draft(&self, targets: &[ItemIndex], rng: &mut ChaCha8Rng) -> Result<Draft, Obstacle> {
        let taste = self.tastes.choose(rng).ok_or(Obstacle::NoGroups)?;
        let fitting = targets
            .iter()
            .filter(|&&item| self.facts.met(item, taste.pair) == 2);
        let &target = fitting.choose(rng).ok_or(Obstacle::NothingForGroup)?;
        let evidence = Evidence::Group(taste.name.clone());
        Ok(Draft::new(target, taste.pair, evidence))
    }

    fn attribute(&self, fact: FactId) -> Attribute {
        self.facts.fact(fact).clone()
    }
}
