//! Composing queries from any catalogue whose items have attributes.

mod config;
mod draft;
mod negatives;

use rand::RngExt;
use rand::seq::{IndexedRandom, IteratorRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Catalogue, Item, ItemId, ItemIndex};
use rerec_text::QueryId;

pub(crate) use config::check_held_out;
pub use config::{Negatives, QueryConfig};

use crate::audience::{Audience, GroupTaste, group_tastes};
use crate::dataset::{Rating, UserGroup};
use crate::error::{Error, Result};
use crate::facts::FactTable;
use crate::intent::ComposedQuery;
use crate::obstacle::{Obstacle, Obstacles};
use crate::prompt::{PromptConfig, Prompts};
use crate::query::Query;
use crate::query_class::QueryClass;
use crate::random::stream;
use crate::retriever::Retriever;
use crate::wording::{Phrasebook, Wording};
use draft::Draft;

/// Draws per query before giving up.
const ATTEMPTS: usize = 1000;
/// How many liked items a history shows.
const HISTORY: std::ops::RangeInclusive<usize> = 2..=3;

/// Composes queries of a few conditions each.
///
/// The target meets all conditions and no other candidate does; most of the others meet some.
#[derive(Debug)]
pub struct QueryBuilder<'a> {
    seed: u64,
    config: &'a QueryConfig,
    book: Phrasebook<'a>,
    prompts: Prompts<'a>,
    facts: FactTable<'a>,
    audience: Audience<'a>,
    tastes: Vec<GroupTaste>,
    /// Where wrong candidates are looked up by their words.
    retriever: Option<Retriever>,
}

impl<'a> QueryBuilder<'a> {
    /// Reads what the items have in common and what users and groups like.
    ///
    /// # Errors
    /// A setting out of range; a template with a fault; a relation that no item has; a rating of an unknown item; a group that likes
    /// nothing.
    pub fn new(
        seed: u64,
        config: &'a QueryConfig,
        catalogue: &'a Catalogue,
        ratings: &'a [Rating],
        groups: &[UserGroup],
        wording: &'a Wording,
        prompt: &'a PromptConfig,
    ) -> Result<Self> {
        config.validate()?;
        let book = Phrasebook::new(wording, catalogue)?;
        let relations: Vec<&str> = book.relations().collect();
        let facts = FactTable::new(catalogue, &relations);
        let audience = Audience::new(catalogue, ratings, config.liked_from)?;
        let tastes = group_tastes(&facts, &audience, groups)?;
        Ok(Self {
            seed,
            config,
            book,
            prompts: prompt.compile()?,
            facts,
            audience,
            tastes,
            retriever: (config.negatives == Negatives::Retriever)
                .then(|| Retriever::new(catalogue)),
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
        // One stream for all attempts: a fresh one for each would repeat the first draw that
        // failed.
        let mut rng = stream(self.seed, "query", id.as_str());
        let mut obstacles = Obstacles::default();
        for _ in 0..ATTEMPTS {
            match self.attempt(class, &targets, &mut rng) {
                Ok((draft, candidates)) => return self.finish(id, draft, &candidates, &mut rng),
                Err(obstacle) => obstacles.count(obstacle),
            }
        }
        // Each attempt counts one obstacle, so that there always is a worst one; the default is
        // never told.
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

    /// A draft and its candidates in random order, or why what was drawn does not lead to a query of the class.
    fn attempt(
        &self,
        class: &QueryClass,
        targets: &[ItemIndex],
        rng: &mut ChaCha8Rng,
    ) -> Result<(Draft, Vec<ItemIndex>), Obstacle> {
        let mut draft = self.draft(class, targets, rng)?;
        // The history of an interest query is its evidence already, and is not drawn for.
        if draft.history.is_empty() && rng.random_bool(self.config.history_share) {
            draft.history = self.some_history(&draft, rng)?;
        }
        let mut candidates = self.negatives(&draft, rng)?;
        candidates.push(draft.target);
        candidates.shuffle(rng);
        Ok((draft, candidates))
    }

    fn finish(
        &self,
        id: &QueryId,
        draft: Draft,
        candidates: &[ItemIndex],
        rng: &mut ChaCha8Rng,
    ) -> Result<ComposedQuery> {
        let conditions = draft.conditions.iter();
        let conditions: Vec<_> = conditions
            .map(|&fact| self.facts.fact(fact).clone())
            .collect();
        let anchor = draft.anchor.map_or("", |anchor| &self.item(anchor).title);
        let sentence = self
            .book
            .sentence(&conditions, &draft.evidence, anchor, rng)?;
        let items = |of: &[ItemIndex]| of.iter().map(|&item| self.item(item)).collect::<Vec<_>>();
        let ids = |of: &[ItemIndex]| of.iter().map(|&item| self.id(item)).collect::<Vec<_>>();
        let (liked, options) = (items(&draft.history), items(candidates));
        let query = Query {
            id: id.clone(),
            class: draft.evidence.class(),
            conversation: self.prompts.conversation(&sentence, &liked, &options)?,
            targets: ids(&[draft.target]),
            candidates: Some(ids(candidates)),
            history: ids(&draft.history),
        };
        Ok(ComposedQuery {
            query,
            conditions,
            evidence: draft.evidence,
        })
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

    fn item(&self, item: ItemIndex) -> &'a Item {
        self.facts.catalogue().get(item)
    }

    fn id(&self, item: ItemIndex) -> ItemId {
        self.item(item).id.clone()
    }
}
