//! What a query of each class is about, before the candidates are drawn.

use rand::RngExt;
use rand::seq::{IndexedRandom, IteratorRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Attribute, ItemIndex};

use super::pool::{Asker, Pool};
use super::{HISTORY, QueryBuilder};
use crate::facts::FactId;
use crate::intent::Evidence;
use crate::obstacle::Obstacle;
use crate::query_class::QueryClass;

/// The target, its conditions and how they are told.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) target: ItemIndex,
    pub(super) conditions: Vec<FactId>,
    pub(super) evidence: Evidence,
    pub(super) anchor: Option<ItemIndex>,
    pub(super) history: Vec<ItemIndex>,
    /// Who asks: by their choice the query was drawn, or theirs is the history.
    pub(super) asker: Option<Asker>,
    /// A condition that any value of the anchor meets: the prompt does not say which of several is meant.
    pub(super) any_of_anchor: Option<FactId>,
    /// Of a misinformed query: the conditions as the prompt would have them.
    pub(super) believed: Option<Vec<FactId>>,
    /// The only candidate that meets the believed conditions.
    pub(super) decoy: Option<ItemIndex>,
}

impl Draft {
    fn new(target: ItemIndex, conditions: Vec<FactId>, evidence: Evidence) -> Self {
        Self {
            target,
            conditions,
            evidence,
            anchor: None,
            any_of_anchor: None,
            history: Vec::new(),
            asker: None,
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
        pool: &Pool,
        rng: &mut ChaCha8Rng,
    ) -> Result<Draft, Obstacle> {
        if *class == QueryClass::DEMOGRAPHICS {
            return self.group_draft(pool, rng);
        }
        let (target, asker) = self.draw_target(pool, rng).ok_or(Obstacle::NoTargets)?;
        let conditions = self.draw_conditions(target, rng)?;
        let draft = if *class == QueryClass::IMPLICIT {
            self.shared_draft(target, conditions, rng)?
        } else if *class == QueryClass::MISINFORMED {
            self.belief_draft(target, conditions, rng)?
        } else if *class == QueryClass::INTEREST {
            return self.liked_draft(target, conditions, asker, rng);
        } else {
            Draft::new(target, conditions, Evidence::Named)
        };
        Ok(Draft { asker, ..draft })
    }

    fn draw_conditions(
        &self,
        target: ItemIndex,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<FactId>, Obstacle> {
        let [fewest, most] = self.config.conditions;
        // A fixed number draws nothing, so that the default of two leaves the stream to what
        // follows.
        let count = if fewest == most {
            fewest
        } else {
            rng.random_range(fewest..=most)
        };
        let conditions = self.facts.draw(target, count, rng);
        let conditions = conditions.ok_or(Obstacle::FewAttributes)?;
        match self.config.shared_by {
            Some(most) if self.facts.count(&conditions) > most => Err(Obstacle::TooCommon),
            _ => Ok(conditions),
        }
    }

    fn shared_draft(
        &self,
        target: ItemIndex,
        conditions: Vec<FactId>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Draft, Obstacle> {
        let hidden = conditions[rng.random_range(0..conditions.len())];
        let tells_several = self.book.tells_several(&self.facts.fact(hidden).relation);
        let anchor = self.anchor(target, hidden, tells_several, rng)?;
        // Asked of the anchor that was drawn: where several are allowed, it may still have one
        // value only.
        let several = !self.facts.is_sole_value(anchor, hidden);
        let evidence = Evidence::Shared {
            anchor: self.id(anchor),
            condition: self.attribute(hidden),
            several,
        };
        Ok(Draft {
            anchor: Some(anchor),
            any_of_anchor: several.then_some(hidden),
            ..Draft::new(target, conditions, evidence)
        })
    }

    fn belief_draft(
        &self,
        target: ItemIndex,
        conditions: Vec<FactId>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Draft, Obstacle> {
        let place = rng.random_range(0..conditions.len());
        let hidden = conditions[place];
        if !self.book.is_mistakable(&self.facts.fact(hidden).relation) {
            return Err(Obstacle::NotMistakable);
        }
        // Never one of several: "directed by X" is plainly wrong only of a film with one director.
        let anchor = self.anchor(target, hidden, false, rng)?;
        let mut kept = conditions.clone();
        kept.remove(place);
        let meets_kept = |item: &ItemIndex| self.facts.fits(*item, &kept);
        // The decoy meets the open conditions but not the hidden one: it would be a second right
        // answer otherwise.
        let decoy = self
            .facts
            .items()
            .filter(meets_kept)
            .filter(|&item| item != anchor && !self.facts.has(item, hidden))
            .choose(rng)
            .ok_or(Obstacle::NoDecoy)?;
        // A value that the anchor has would make the claim true; with one of the target's, to
        // believe it would do no harm.
        let is_wrong =
            |fact: &FactId| !self.facts.has(target, *fact) && !self.facts.has(anchor, *fact);
        let believed = self
            .facts
            .values_like(decoy, hidden)
            .filter(is_wrong)
            .choose(rng)
            .ok_or(Obstacle::NoDecoy)?;
        let mut believed_conditions = conditions.clone();
        believed_conditions[place] = believed;
        let evidence = Evidence::Belief {
            anchor: self.id(anchor),
            condition: self.attribute(hidden),
            believed: self.attribute(believed),
        };
        Ok(Draft {
            anchor: Some(anchor),
            believed: Some(believed_conditions),
            decoy: Some(decoy),
            ..Draft::new(target, conditions, evidence)
        })
    }

    /// Another item by which the hidden value can be told: it has that value alone, unless any of several will do.
    fn anchor(
        &self,
        target: ItemIndex,
        hidden: FactId,
        tells_several: bool,
        rng: &mut ChaCha8Rng,
    ) -> Result<ItemIndex, Obstacle> {
        let holders = self.facts.holders(hidden).iter().copied();
        holders
            .filter(|&item| {
                item != target && (tells_several || self.facts.is_sole_value(item, hidden))
            })
            .choose(rng)
            .ok_or(Obstacle::NoAnchor)
    }

    /// A user who likes the target likes other items that share the conditions and nothing else.
    fn liked_draft(
        &self,
        target: ItemIndex,
        conditions: Vec<FactId>,
        asker: Option<Asker>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Draft, Obstacle> {
        let asker = self.asker(target, asker, rng)?;
        let likes = self.liked_before(asker).map(|like| like.item);
        let fits = |item| self.facts.fits(item, &conditions);
        let fitting = likes.filter(|&item| item != target && fits(item));
        let shown = rng.random_range(HISTORY);
        let mut history = fitting.sample(rng, shown);
        // `sample` picks at random but does not order at random.
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
        // Equality of the lists is that of the sets: both are in the order of the asked relations.
        // More in common would leave open what is meant.
        if others.is_empty() || !shared.eq(&conditions) {
            return Err(Obstacle::NothingShared);
        }
        Ok(Draft {
            history,
            asker: Some(asker),
            ..Draft::new(target, conditions, Evidence::Liked)
        })
    }

    /// Who asks for a target: whoever it was drawn with, else somebody who likes it.
    pub(super) fn asker(
        &self,
        target: ItemIndex,
        known: Option<Asker>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Asker, Obstacle> {
        let somebody = |&user: &usize| Asker { user, time: None };
        known
            .or_else(|| self.audience.fans(target).choose(rng).map(somebody))
            .ok_or(Obstacle::NoFans)
    }

    fn group_draft(&self, pool: &Pool, rng: &mut ChaCha8Rng) -> Result<Draft, Obstacle> {
        let taste = self.tastes.choose(rng).ok_or(Obstacle::NoGroups)?;
        let fits = |item| self.facts.fits(item, &taste.pair);
        let drawn = self.draw_fitting(pool, fits, rng);
        let (target, asker) = drawn.ok_or(Obstacle::NothingForGroup)?;
        let evidence = Evidence::Group(taste.name.clone());
        Ok(Draft {
            asker,
            ..Draft::new(target, taste.pair.to_vec(), evidence)
        })
    }

    fn attribute(&self, fact: FactId) -> Attribute {
        self.facts.fact(fact).clone()
    }
}
