//! Composing queries from any catalogue whose items have attributes.

mod config;
mod draft;
mod history;
mod negatives;
mod pool;
mod suitor;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Catalogue, Item, ItemId, ItemIndex};
use rerec_text::QueryId;

pub(crate) use config::check_shares;
pub use config::{Negatives, QueryConfig};
pub(crate) use history::fitting;
pub use pool::Pool;

use crate::audience::{Audience, GroupTaste, group_tastes};
use crate::compose::Source;
use crate::dataset::Rating;
use crate::error::{Error, Result};
use crate::facts::FactTable;
use crate::intent::ComposedQuery;
use crate::load_context::LoadContext;
use crate::obstacle::{Obstacle, Obstacles};
use crate::prompt::Prompts;
use crate::query::Query;
use crate::query_class::QueryClass;
use crate::random::stream;
use crate::retriever::Retriever;
use crate::wording::Phrasebook;
use draft::Draft;
use pool::Partition;
use suitor::Suitor;

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
    context: LoadContext<'a>,
    book: Phrasebook<'a>,
    prompts: Prompts<'a>,
    facts: FactTable<'a>,
    audience: Audience<'a>,
    partition: Partition,
    tastes: Vec<GroupTaste>,
    /// Where wrong candidates are looked up by their words.
    retriever: Option<Retriever>,
    /// Where wrong candidates are looked up by who asks.
    suitor: Option<Suitor>,
}

impl<'a> QueryBuilder<'a> {
    /// Reads what the items have in common and what users and groups like.
    ///
    /// # Errors
    /// A setting out of range; a template with a fault; a relation that no item has; a rating of an unknown item; a group that likes
    /// nothing; ratings that the splits or the negatives need and that are not there.
    pub fn new(
        seed: u64,
        config: &'a QueryConfig,
        source: &'a Source,
        context: LoadContext<'a>,
    ) -> Result<Self> {
        config.validate()?;
        let catalogue = &source.catalogue;
        let book = Phrasebook::new(&source.wording, catalogue)?;
        let relations: Vec<&str> = book.relations().collect();
        let facts = FactTable::new(catalogue, &relations);
        let audience = Audience::new(catalogue, &source.ratings, config.liked_from)?;
        let partition = Partition::new(seed, config, facts.items(), &audience)?;
        // What groups like is told in prompts, those of training among them.
        let is_seen = |user, rating: &Rating| partition.has_seen(user, rating.time);
        let tastes = group_tastes(&facts, &audience, &source.groups, &is_seen)?;
        let suitor = match config.negatives {
            Negatives::Lightgcn => Some(Suitor::new(seed, config.liked_from, source)?),
            _ => None,
        };
        Ok(Self {
            seed,
            config,
            context,
            book,
            prompts: source.prompt.compile()?,
            facts,
            audience,
            partition,
            tastes,
            retriever: (config.negatives == Negatives::Retriever)
                .then(|| Retriever::new(catalogue)),
            suitor,
        })
    }

    /// One query out of a pool of [`pools`](Self::pools); the same id gives the same query.
    ///
    /// # Errors
    /// A class that is none of RecBench+'s; no query of the class found, with what stood in the way most often.
    pub fn compose(&self, id: &QueryId, class: &QueryClass, pool: &Pool) -> Result<ComposedQuery> {
        config::check_class(class)?;
        // One stream for all attempts: a fresh one for each would repeat the first draw that
        // failed.
        let mut rng = stream(self.seed, "query", id.as_str());
        let mut obstacles = Obstacles::default();
        for _ in 0..ATTEMPTS {
            match self.attempt(class, pool, &mut rng) {
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
            kind: pool.kind(),
            available: pool.len(),
            obstacle,
            failed,
        })
    }

    /// A draft and its candidates in random order, or why what was drawn does not lead to a query of the class.
    fn attempt(
        &self,
        class: &QueryClass,
        pool: &Pool,
        rng: &mut ChaCha8Rng,
    ) -> Result<(Draft, Vec<ItemIndex>), Obstacle> {
        let mut draft = self.draft(class, pool, rng)?;
        // The history of an interest query is its evidence already, and is not drawn for.
        if draft.history.is_empty() && rng.random_bool(self.config.history_share) {
            self.add_history(&mut draft, rng)?;
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
        let ids = |of: &[ItemIndex]| of.iter().map(|&item| self.id(item)).collect::<Vec<_>>();
        let user = draft.asker.map(|asker| self.audience.user(asker.user));
        let query = Query {
            id: id.clone(),
            class: draft.evidence.class(),
            conversation: Vec::new(),
            targets: ids(&[draft.target]),
            candidates: Some(ids(candidates)),
            conditions,
            history: ids(&draft.history),
            user: user.cloned(),
            time: draft.asker.and_then(|asker| asker.time),
        };
        let mut composed = ComposedQuery {
            query,
            evidence: draft.evidence,
            sentence: String::new(),
        };
        self.say(&mut composed, sentence)?;
        Ok(composed)
    }

    /// Gives a query the words of its user, and the prompt that they make.
    pub(crate) fn say(&self, composed: &mut ComposedQuery, sentence: String) -> Result<()> {
        let query = &mut composed.query;
        let user = query.user.as_ref();
        let user = user.and_then(|user| self.audience.position(user));
        let liked = self.shown_history(&self.catalogue().indices_of(&query.history)?, user);
        let options = query.candidates.as_deref().unwrap_or_default();
        let options = self.catalogue().indices_of(options)?.into_iter();
        let options: Vec<&Item> = options.map(|item| self.item(item)).collect();
        query.conversation = self.prompts.conversation(&sentence, &liked, &options)?;
        composed.sentence = sentence;
        Ok(())
    }

    pub(crate) fn catalogue(&self) -> &'a Catalogue {
        self.facts.catalogue()
    }

    fn item(&self, item: ItemIndex) -> &'a Item {
        self.facts.catalogue().get(item)
    }

    fn id(&self, item: ItemIndex) -> ItemId {
        self.item(item).id.clone()
    }
}
