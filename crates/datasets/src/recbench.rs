//! RecBench+ (arXiv 2503.09382): its files of queries beside those of MovieLens-1M or Amazon-Book.
//!
//! RecBench+ asks openly; ReRec (arXiv 2604.07851) makes a choice of each query: one of its items and 19 others.

mod entry;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rand::RngExt;
use rand::seq::{IteratorRandom, SliceRandom, index};
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{AttributeGraph, Catalogue, Item, ItemId, JoinBy};
use rerec_text::{Message, QueryId};
use serde::{Deserialize, Serialize};

use self::entry::Entry;
use crate::builder::{check_shares, fitting};
use crate::dataset::{Dataset, Rating, Splits, UserId};
use crate::error::{Error, Result, check};
use crate::files::{ItemNames, Namesake};
use crate::load_context::LoadContext;
use crate::movielens::films_and_ratings;
use crate::people::add_new;
use crate::prompt::{PromptConfig, Prompts};
use crate::query::Query;
use crate::query_class::QueryClass;
use crate::random::stream;
use crate::table::{Column, Table};

/// What RecBench+ asks about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Films of MovieLens-1M: `movies.dat` and `ratings.dat`, parted by `::`.
    #[default]
    Movie,
    /// Books of Amazon-Book: `ratings.dat` of user, title and rating, parted by tabs.
    Book,
}

/// What is read of RecBench+, and how a choice is made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecBenchConfig {
    /// Folder of one domain: the files of queries (`ExplicitQuery.json` and so on) beside `movies.dat` and `ratings.dat`.
    /// Default `data/recbench/movie`.
    pub folder: PathBuf,
    /// What it asks about. Default `movie`.
    pub domain: Domain,
    /// The classes that are read, each of RecBench+'s and with its file in the folder. Default explicit, implicit, misinformed
    /// and interest, as in ReRec.
    pub classes: Vec<QueryClass>,
    /// Candidates per query, at least 2; one is right. Default 20.
    pub candidates: usize,
    /// Share of the items that are targets of validation queries only, [0, 1). Default 0.05.
    pub validation_items: f64,
    /// Share of the items that are targets of test queries only, [0, 1). Default 0.2.
    pub test_items: f64,
    /// The most items of the source user's that a prompt shows as liked. Default 0.
    pub history: usize,
    /// The most tokens of these, as in [`QueryConfig::history_tokens`](crate::QueryConfig::history_tokens). Default: no limit.
    pub history_tokens: Option<usize>,
    /// The least rating that counts as a choice, in [1, 5]. Default 4.
    pub liked_from: f64,
    /// A graph of items and attributes beside the queries, .gexf, .tsv or .jsonl, joined by title: its facts become attributes of the
    /// items. Default: none; films then have genres, books nothing.
    pub graph: Option<PathBuf>,
    /// How the model is asked.
    pub prompt: PromptConfig,
}

impl Default for RecBenchConfig {
    fn default() -> Self {
        Self {
            folder: "data/recbench/movie".into(),
            domain: Domain::Movie,
            classes: QueryClass::RECBENCH[..4].to_vec(),
            candidates: 20,
            validation_items: 0.05,
            test_items: 0.2,
            history: 0,
            history_tokens: None,
            liked_from: 4.0,
            graph: None,
            prompt: PromptConfig::default(),
        }
    }
}

impl RecBenchConfig {
    fn validate(&self) -> Result<()> {
        let share = |x: f64| (0.0..1.0).contains(&x);
        let shares = [
            ("validation_items", self.validation_items),
            ("test_items", self.test_items),
            (
                "validation_items + test_items",
                self.validation_items + self.test_items,
            ),
        ];
        check_shares(shares, "in [0, 1)", share)?;
        check(
            self.candidates >= 2,
            "candidates",
            "at least 2",
            &self.candidates,
        )?;
        check(
            (1.0..=5.0).contains(&self.liked_from),
            "liked_from",
            "in [1, 5]",
            &self.liked_from,
        )?;
        check(
            !self.classes.is_empty(),
            "classes",
            "at least one class",
            &self.classes,
        )
    }
}

impl Dataset {
    /// The queries of RecBench+ as choices; there are neither demonstrations nor drills.
    ///
    /// Titles are joined with the catalogue by the title matcher. Queries none of whose items the catalogue has are left out and
    /// counted in the remarks. No target of one split is a target in another.
    ///
    /// # Errors
    /// A setting out of range; a file that is missing or malformed, by its place; no query left.
    pub fn recbench(seed: u64, config: &RecBenchConfig) -> Result<Self> {
        Self::recbench_with(seed, config, LoadContext::default())
    }

    pub(crate) fn recbench_with(
        seed: u64,
        config: &RecBenchConfig,
        context: LoadContext<'_>,
    ) -> Result<Self> {
        config.validate()?;
        config.prompt.compile()?;
        let folder = &config.folder;
        let files = config
            .classes
            .iter()
            .map(|class| entry::file(folder, class));
        let files = files.collect::<Result<Vec<_>>>()?;
        let (catalogue, ratings) = match config.domain {
            Domain::Movie => films_and_ratings(folder, 0, context).map_err(beside_queries)?,
            Domain::Book => books(folder, context)?,
        };
        let (catalogue, remarks) = match &config.graph {
            Some(path) => described(&catalogue, path)?,
            None => (catalogue, Vec::new()),
        };
        let maker = Maker::new(seed, config, &catalogue, &ratings, context)?;
        let mut splits = Splits::default();
        let (mut unknown, mut without_others, mut unreadable) = (0usize, 0usize, 0usize);
        let mut ids = HashMap::<QueryId, usize>::new();
        for (class, file) in config.classes.iter().zip(&files) {
            for mut entry in entry::read(file, class, config.domain)? {
                // An id names the random draws too: the second query of a number must be another.
                let earlier = ids.entry(entry.id.clone()).or_default();
                *earlier += 1;
                if *earlier > 1 {
                    entry.id = format!("{}/{earlier}", entry.id).into();
                }
                unreadable += usize::from(entry.conditions.is_none());
                match maker.choice(&entry, class)? {
                    Ok((query, Part::Train)) => splits.train.push(query),
                    Ok((query, Part::Validation)) => splits.validation.push(query),
                    Ok((query, Part::Test)) => splits.test.push(query),
                    Err(LeftOut::Unknown) => unknown += 1,
                    Err(LeftOut::TooFewOthers) => without_others += 1,
                }
            }
        }
        let wanted = match unknown >= without_others {
            true => "train queries whose items are in the catalogue",
            false => {
                "train queries beside whose items the catalogue has enough others to choose from"
            }
        };
        Error::refuse_empty(&splits.train, &config.folder, wanted)?;
        let mut dataset = Self {
            catalogue,
            ratings,
            liked_from: config.liked_from,
            splits,
            remarks,
            ..Self::default()
        };
        for (queries, cause) in [
            (unknown, "none of their items"),
            (without_others, "too few others to choose from"),
        ] {
            if queries > 0 {
                dataset.remarks.push(format!(
                    "{queries} queries are left out: the catalogue has {cause}"
                ));
            }
        }
        if unreadable > 0 {
            dataset.remarks.push(format!(
                "sharedRelationships of {unreadable} queries are no pairs of relation and value: what these ask for is not known"
            ));
        }
        dataset.remark_absences();
        Ok(dataset)
    }
}

/// RecBench+'s films are those of MovieLens-1M, which no command fetches.
fn beside_queries(error: Error) -> Error {
    match error {
        Error::NoEdition { folder } => Error::NoRecBenchFile {
            path: folder.join("movies.dat"),
        },
        other => other,
    }
}

/// Which split an item may be a target of.
#[derive(Debug, Clone, Copy)]
enum Part {
    Train,
    Validation,
    Test,
}

/// Why no choice can be made of a query.
#[derive(Debug, Clone, Copy)]
enum LeftOut {
    /// The catalogue has none of its items.
    Unknown,
    /// There are fewer other items than candidates.
    TooFewOthers,
}

/// Makes choices of queries.
struct Maker<'a> {
    seed: u64,
    config: &'a RecBenchConfig,
    catalogue: &'a Catalogue,
    namesake: Namesake<'a>,
    parts: HashMap<&'a ItemId, Part>,
    liked: HashMap<&'a str, Vec<&'a Rating>>,
    prompt: Prompts<'a>,
    context: LoadContext<'a>,
}

impl<'a> Maker<'a> {
    fn new(
        seed: u64,
        config: &'a RecBenchConfig,
        catalogue: &'a Catalogue,
        ratings: &'a [Rating],
        context: LoadContext<'a>,
    ) -> Result<Self> {
        let mut ids: Vec<&ItemId> = catalogue.items().iter().map(|item| &item.id).collect();
        // Split by items, not by queries: a target seen in training must not be asked for in a
        // test.
        ids.shuffle(&mut stream(seed, "targets", ""));
        let share = |of: f64| (ids.len() as f64 * of).round() as usize;
        let (test, validation) = (share(config.test_items), share(config.validation_items));
        let part = |place: usize| match place {
            place if place < test => Part::Test,
            place if place < test + validation => Part::Validation,
            _ => Part::Train,
        };
        let parts = (0..).zip(&ids).map(|(place, &id)| (id, part(place)));
        let mut liked = HashMap::<&str, Vec<&Rating>>::new();
        for rating in ratings
            .iter()
            .filter(|rating| rating.rating >= config.liked_from)
        {
            liked.entry(rating.user.as_str()).or_default().push(rating);
        }
        Ok(Self {
            seed,
            config,
            catalogue,
            namesake: Namesake::new(catalogue, ItemNames::Titles),
            parts: parts.collect(),
            liked,
            prompt: config.prompt.compile()?,
            context,
        })
    }

    /// A query as a choice, or why there is none.
    fn choice(&self, entry: &Entry, class: &QueryClass) -> Result<Result<(Query, Part), LeftOut>> {
        // A stream of its own: candidates stay the same when `classes` has more or fewer entries.
        let mut rng = stream(self.seed, "choice", entry.id.as_str());
        let gold: Vec<ItemId> = entry
            .items
            .iter()
            .filter_map(|item| self.find(item))
            .collect();
        // `max(1)` as an empty range would panic; `get` then finds nothing.
        let Some(target) = gold.get(rng.random_range(0..gold.len().max(1))).cloned() else {
            return Ok(Err(LeftOut::Unknown));
        };
        // The draws follow one another from one stream: the negatives do not know which split the query falls into.
        let shown = self.history(entry, &gold, &mut rng)?;
        let history: Vec<ItemId> = shown.iter().map(|rating| rating.item.clone()).collect();
        let Some(mut candidates) = self.negatives(&gold, &history, &mut rng) else {
            return Ok(Err(LeftOut::TooFewOthers));
        };
        candidates.push(target.clone());
        // The target was pushed last; its place must not give it away.
        candidates.shuffle(&mut rng);
        let part = self.parts.get(&target).copied().unwrap_or(Part::Train);
        let conversation = self.conversation(entry, &shown, &candidates)?;
        let query = Query {
            id: entry.id.clone(),
            class: class.clone(),
            conversation,
            targets: vec![target],
            candidates: Some(candidates),
            conditions: entry.conditions.clone().unwrap_or_default(),
            user: match history.is_empty() {
                true => None,
                false => entry.user.as_deref().map(UserId::from),
            },
            history,
            time: None,
        };
        Ok(Ok((query, part)))
    }

    /// Items that nobody asks for and that the prompt does not show, where there are enough.
    fn negatives(
        &self,
        gold: &[ItemId],
        history: &[ItemId],
        rng: &mut ChaCha8Rng,
    ) -> Option<Vec<ItemId>> {
        let gold: HashSet<&ItemId> = gold.iter().collect();
        let items = self.catalogue.items();
        let wanted = self.config.candidates - 1;
        // So many more that enough are left without those that may not be drawn; the cost does not grow with the catalogue.
        let drawn = (wanted + gold.len() + history.len()).min(items.len());
        let drawn = index::sample(rng, items.len(), drawn).into_iter();
        let ids = drawn.map(|place| &items[place].id);
        // All gold items are barred, not the target alone: another of them would be a second right
        // answer.
        let free = ids.filter(|id| !gold.contains(id) && !history.contains(id));
        let negatives: Vec<ItemId> = free.take(wanted).cloned().collect();
        (negatives.len() == wanted).then_some(negatives)
    }

    /// An item of the query by its title, else by its id: ids of another edition would name other items.
    fn find(&self, (id, title): &(Option<String>, String)) -> Option<ItemId> {
        self.namesake.find(title).ok().or_else(|| {
            let id = id.as_deref()?;
            self.catalogue.index_of(id).map(|_| ItemId::from(id))
        })
    }

    /// What the source user liked, none of it asked for.
    fn history(
        &self,
        entry: &Entry,
        gold: &[ItemId],
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<&'a Rating>> {
        let liked = entry.user.as_deref().and_then(|user| self.liked.get(user));
        let others = liked.into_iter().flatten().copied();
        let others = others.filter(|rating| !gold.contains(&rating.item));
        let mut shown = others.sample(rng, self.config.history);
        if let Some(budget) = self.config.history_tokens {
            let lines = self.prompt.liked(&self.rated(&shown)?)?;
            let tokens = lines.iter().map(|line| (self.context.count_tokens)(line));
            let kept = fitting(tokens, budget);
            shown.drain(..shown.len() - kept);
        }
        Ok(shown)
    }

    fn conversation(
        &self,
        entry: &Entry,
        history: &[&Rating],
        candidates: &[ItemId],
    ) -> Result<Vec<Message>> {
        let options = self.catalogue.indices_of(candidates)?.into_iter();
        let options: Vec<&Item> = options.map(|index| self.catalogue.get(index)).collect();
        self.prompt
            .conversation(&entry.query, &self.rated(history)?, &options)
    }

    /// The items with their ratings.
    fn rated(&self, ratings: &[&Rating]) -> Result<Vec<(&'a Item, Option<f64>)>> {
        let ids: Vec<ItemId> = ratings.iter().map(|rating| rating.item.clone()).collect();
        let items = self.catalogue.indices_of(&ids)?.into_iter();
        let rated = items
            .zip(ratings)
            .map(|(index, rating)| (self.catalogue.get(index), Some(rating.rating)));
        Ok(rated.collect())
    }
}

/// The items with the facts of a graph, and what is to be said of the join.
fn described(catalogue: &Catalogue, path: &Path) -> Result<(Catalogue, Vec<String>)> {
    let joined = AttributeGraph::read(path, catalogue, JoinBy::Title)?;
    let mut items = Vec::with_capacity(catalogue.len());
    for (index, item) in catalogue.iter() {
        let mut item = item.clone();
        add_new(&mut item.attributes, joined.graph.attributes(index));
        items.push(item);
    }
    let report = joined.report;
    let (path, names) = (path.display(), report.unknown + report.ambiguous);
    let mut remarks = vec![format!(
        "{path}: {} of {} facts are about {} of the {} items; {names} names stand for no item or for several",
        report.joined,
        report.triples,
        report.items,
        catalogue.len()
    )];
    if report.id_space.looks_wrong() {
        remarks.push(format!(
            "{path}: items that share attributes are no more alike than at random; do its names belong to this catalogue?"
        ));
    }
    Ok((Catalogue::new(items)?, remarks))
}

/// Every title of `ratings.dat` is a book, its id the title.
fn books(folder: &Path, context: LoadContext<'_>) -> Result<(Catalogue, Vec<Rating>)> {
    let path = folder.join("ratings.dat");
    let table = Table::plain(&path, "\t", &["user", "title", "rating"]).watched(context);
    let columns = ["user", "title", "rating"].map(Column::required);
    let (mut items, mut known, mut ratings) = (Vec::new(), HashSet::new(), Vec::new());
    table.rows(&columns, |row| {
        let title = row.text(1)?;
        let title = title.trim();
        if known.insert(title.to_owned()) {
            items.push(Item::new(title, title));
        }
        let on_scale = |rating: f64| (0.0..=5.0).contains(&rating);
        ratings.push(Rating {
            user: row.text(0)?.trim().into(),
            item: title.into(),
            rating: row.number(2, "be a number from 0 to 5", on_scale)?,
            time: None,
        });
        Ok(())
    })?;
    Ok((Catalogue::new(items)?, ratings))
}
