//! Composing queries from any catalogue whose items have attributes.

mod config;
mod draft;

use rand::RngExt;
use rand::seq::{IndexedRandom, IteratorRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Catalogue, ItemId, ItemIndex};
use rerec_text::{Message, QueryId};

pub use config::QueryConfig;

use crate::audience::{Audience, GroupTaste, group_tastes};
use crate::dataset::{Rating, UserGroup};
use crate::error::{Error, Result};
use crate::facts::FactTable;
use crate::intent::ComposedQuery;
use crate::obstacle::{Obstacle, Obstacles};
use crate::query::Query;
use crate::query_class::QueryClass;
use crate::random::stream;
use crate::wording::{Wording, prompt};
use draft::Draft;

/// Draws per query before giving up.
const ATTEMPTS: usize = 1000;
/// How many liked items a history shows.
const HISTORY: std::ops::RangeInclusive<usize> = 2..=3;

/// Composes queries of two conditions each.
///
/// The target meets both conditions and no other candidate does; most of the others meet one.
#[derive(Debug)]
pub struct QueryBuilder<'a> {
    seed: u64,
    config: &'a QueryConfig,
    wording: &'a Wording,
    facts: FactTable<'a>,
    audience: Audience<'a>,
    tastes: Vec<GroupTaste>,
}

impl<'a> QueryBuilder<'a> {
    /// Reads what the items have in common and what users and groups like.
    ///
    /// # Errors
    /// A setting out of range, a rating of an unknown item, a group that likes nothing.
    pub fn new(
        seed: u64,
        config: &'a QueryConfig,
        catalogue: &'a Catalogue,
        ratings: &'a [Rating],
        groups: &[UserGroup],
        wording: &'a Wording,
    ) -> Result<Self> {
        config.validate()?;
        let relations: Vec<&str> = wording.relations().collect();
        let facts = FactTable::new(catalogue, &relations);
        let audience = Audience::new(catalogue, ratings, config.liked_from)?;
        let tastes = group_tastes(&facts, &audience, groups)?;
        Ok(Self {
            seed,
            config,
            wording,
            facts,
            audience,
            tastes,
        })
    }

    /// One query with its target among `targets`; the same id gives the same query.
    ///
    /// # Errors
    /// A class that is none of RecBench+'s; a target that is not in the catalogue; no query of the class found, with what
    /// stood in the way most often.
    pub fn compose(
        &self,
        id: &QueryId,
        class: &QueryClass,
        targets: &[ItemId],
    ) -> Result<ComposedQuery> {
        config::check_class(class)?;
        let targets = self.facts.catalogue().indices_of(targets)?;
        let mut rng = stream(self.seed, "query", id.as_str());
        let mut obstacles = Obstacles::default();
        let mut attempt = |_| {
            self.attempt(id, class, &targets, &mut rng)
                .map_err(|obstacle| obstacles.count(obstacle))
                .ok()
        };
        if let Some(composed) = (0..ATTEMPTS).find_map(&mut attempt) {
            return Ok(composed);
        }
        let (obstacle, failed) = obstacles.worst().unwrap_or((Obstacle::NoTargets, 0));
        Err(Error::NoQuery {
            id: id.clone(),
            class: class.clone(),
            attempts: ATTEMPTS,
            targets: targets.len(),
            obstacle,
            failed,
        })
    }

    fn attempt(
        &self,
        id: &QueryId,
        class: &QueryClass,
        targets: &[ItemIndex],
        rng: &mut ChaCha8Rng,
    ) -> Result<ComposedQuery, Obstacle> {
        let mut draft = self.draft(class, targets, rng)?;
        if draft.history.is_empty() && rng.random_bool(self.config.history_share) {
            draft.history = self.some_history(&draft, rng)?;
        }
        let mut candidates = self.negatives(&draft, rng)?;
        candidates.push(draft.target);
        candidates.shuffle(rng);
        Ok(self.finish(id, draft, &candidates, rng))
    }

    fn finish(
        &self,
        id: &QueryId,
        draft: Draft,
        candidates: &[ItemIndex],
        rng: &mut ChaCha8Rng,
    ) -> ComposedQuery {
        let conditions = draft
            .pair
            .map(|fact| self.facts.fact(fact).clone())
            .to_vec();
        let anchor = draft
            .anchor
            .map(|item| self.title(item))
            .unwrap_or_default();
        let sentence = self
            .wording
            .sentence(&conditions, &draft.evidence, anchor, rng);
        let titles = |items: &[ItemIndex]| {
            items
                .iter()
                .map(|&item| self.title(item))
                .collect::<Vec<_>>()
        };
        let ids = |items: &[ItemIndex]| items.iter().map(|&item| self.id(item)).collect::<Vec<_>>();
        let text = prompt(&sentence, &titles(&draft.history), &titles(candidates));
        let query = Query {
            id: id.clone(),
            class: draft.evidence.class(),
            conversation: vec![Message::user(text)],
            targets: ids(&[draft.target]),
            candidates: Some(ids(candidates)),
            history: ids(&draft.history),
        };
        ComposedQuery {
            query,
            conditions,
            evidence: draft.evidence,
        }
    }

    /// Items liked by somebody who likes the target too.
    fn some_history(
        &self,
        draft: &Draft,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<ItemIndex>, Obstacle> {
        let fans = self.audience.fans(draft.target);
        let &user = fans.choose(rng).ok_or(Obstacle::NoFans)?;
        let others = self
            .audience
            .likes(user)
            .iter()
            .copied()
            .filter(|&item| !draft.mentions(item));
        let history = others.sample(rng, 2);
        (history.len() == 2)
            .then_some(history)
            .ok_or(Obstacle::ShortHistory)
    }

    /// The wrong candidates: a decoy where there is one, then items that meet one condition, then others.
    fn negatives(&self, draft: &Draft, rng: &mut ChaCha8Rng) -> Result<Vec<ItemIndex>, Obstacle> {
        let wanted = self.config.candidates - 1;
        let [low, high] = self.config.hard_share;
        let hard = (wanted as f64 * rng.random_range(low..=high)).round() as usize;
        let mut negatives: Vec<ItemIndex> = draft.decoy.into_iter().collect();
        let missing = hard.saturating_sub(negatives.len());
        negatives.extend(self.half_fitting(draft, rng).take(missing));
        let fitting = |item| draft.mentions(item) || self.facts.met(item, draft.pair) > 0;
        let easy = self
            .facts
            .items()
            .filter(|&item| !fitting(item) && self.is_wrong(item, draft));
        negatives.extend(easy.sample(rng, wanted - negatives.len()));
        (negatives.len() == wanted)
            .then_some(negatives)
            .ok_or(Obstacle::FewCandidates)
    }

    /// Items that meet one condition, in random order, taking turns between the two.
    fn half_fitting(&self, draft: &Draft, rng: &mut ChaCha8Rng) -> impl Iterator<Item = ItemIndex> {
        let mut halves = draft.pair.map(|fact| {
            let holders = self.facts.holders(fact).iter().copied();
            let mut half: Vec<_> = holders.filter(|&item| self.is_wrong(item, draft)).collect();
            half.shuffle(rng);
            half
        });
        halves.shuffle(rng);
        let [first, second] = halves;
        let turns = first.len().max(second.len());
        (0..turns)
            .flat_map(move |turn| [first.get(turn).copied(), second.get(turn).copied()])
            .flatten()
    }

    /// Whether an item may stand among the wrong candidates.
    fn is_wrong(&self, item: ItemIndex, draft: &Draft) -> bool {
        let fits = |pair| self.facts.met(item, pair) == 2;
        !draft.mentions(item) && !fits(draft.pair) && !draft.believed.is_some_and(fits)
    }

    fn title(&self, item: ItemIndex) -> &'a str {
        &self.facts.catalogue().get(item).title
    }

    fn id(&self, item: ItemIndex) -> ItemId {
        self.facts.catalogue().get(item).id.clone()
    }
}
