//! What one looks at before a long run: counts, coverage, popularity, prompt lengths, leaks, samples.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use rerec_rewards::ItemId;
use rerec_text::Message;
use serde::Serialize;

use crate::dataset::Dataset;
use crate::query::Query;
use crate::query_class::QueryClass;
use crate::split_by::SplitBy;

/// Queries shown of each class.
const SAMPLES: usize = 3;

/// A summary of a dataset; its `Display` is a page of text, its serialised form is for programs.
///
/// ```
/// use rerec_datasets::{Dataset, Inspection, WorldConfig};
///
/// let world = Dataset::quickstart(1, &WorldConfig::default())?;
/// let words = |prompt: &[rerec_text::Message]| prompt[0].content.split_whitespace().count();
/// let inspection = Inspection::new(&world, "words", words);
/// assert_eq!(inspection.splits[0].queries, 2000);
/// assert!(inspection.leaks.is_empty());
/// # Ok::<(), rerec_datasets::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// Items of the catalogue.
    pub items: usize,
    /// How the items are described.
    pub relations: Vec<RelationCoverage>,
    /// Ratings.
    pub ratings: usize,
    /// Users who rated.
    pub users: usize,
    /// Ratings that count as a choice, [`Dataset::choices`].
    pub choices: usize,
    /// Choices of the items.
    pub popularity: Spread,
    /// Train, validation and test.
    pub splits: Vec<SplitSummary>,
    /// What prompt lengths are counted in.
    pub unit: String,
    /// What the splits are to keep apart.
    pub split_by: SplitBy,
    /// What one split tells of another.
    pub leaks: Vec<Leak>,
    /// A few queries of each class, as the model sees them.
    pub samples: Vec<QuerySample>,
    /// [`Dataset::remarks`].
    pub remarks: Vec<String>,
}

/// How many items have a value under a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelationCoverage {
    /// The relation.
    pub relation: String,
    /// Items that have a value.
    pub items: usize,
    /// Different values.
    pub values: usize,
    /// Values that two items or more share: others can never be a condition that tells items apart by what they have in common.
    pub shared_values: usize,
}

/// Least, median, 95th percentile and largest of some numbers; all 0 where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: usize,
    /// The middle one, the lower of two.
    pub median: usize,
    /// The one that 95 % do not exceed.
    pub p95: usize,
    /// The largest.
    pub max: usize,
}

impl Spread {
    fn of(mut numbers: Vec<usize>) -> Self {
        numbers.sort_unstable();
        let at = |share: f64| {
            let place = (numbers.len() as f64 * share).ceil() as usize;
            numbers.get(place.saturating_sub(1)).copied().unwrap_or(0)
        };
        Self {
            min: numbers.first().copied().unwrap_or(0),
            median: at(0.5),
            p95: at(0.95),
            max: numbers.last().copied().unwrap_or(0),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            min,
            median,
            p95,
            max,
        } = self;
        write!(f, "{min} to {max}, median {median}, 95 % up to {p95}")
    }
}

/// The queries of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SplitSummary {
    /// `train`, `validation` or `test`.
    pub name: String,
    /// How many there are.
    pub queries: usize,
    /// How many of each class.
    pub classes: BTreeMap<String, usize>,
    /// Queries that come with a history.
    pub with_history: usize,
    /// Items to choose from; a query without candidates means the whole catalogue.
    pub candidates: Spread,
    /// Targets per query.
    pub targets: Spread,
    /// Lengths of the prompts.
    pub prompt: Spread,
}

/// Something that two splits have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// The split that is learned from.
    pub from: String,
    /// The split that is reported or chosen by.
    pub into: String,
    /// Besides `prompts`, word for word, what the splits are to keep apart: `targets`, `users`, or `times`, where queries of the second
    /// split are not later than all of the first.
    pub what: String,
    /// Queries of the second split that share it.
    pub queries: usize,
    /// How many it has.
    pub of: usize,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            into,
            what,
            queries,
            of,
        } = self;
        write!(
            f,
            "{queries} of {of} {into} queries share {what} with {from} queries"
        )
    }
}

/// A query as the model sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuerySample {
    /// Its id.
    pub id: String,
    /// Its class.
    pub class: String,
    /// Its conversation.
    pub conversation: Vec<Message>,
    /// The titles of its targets.
    pub targets: Vec<String>,
}

impl Inspection {
    /// Looks at a dataset; `measure` gives the length of a prompt in `unit`, such as tokens under a tokenizer.
    pub fn new(dataset: &Dataset, unit: &str, measure: impl Fn(&[Message]) -> usize) -> Self {
        let splits = dataset.splits.named();
        let users: HashSet<&str> = dataset.ratings.iter().map(|r| r.user.as_str()).collect();
        let summary = |&(name, queries): &(&str, &[Query])| {
            let items = dataset.catalogue.len();
            SplitSummary::new(name, queries, items, &measure)
        };
        Self {
            items: dataset.catalogue.len(),
            relations: coverage(dataset),
            ratings: dataset.ratings.len(),
            users: users.len(),
            choices: dataset.choices().count(),
            popularity: Spread::of(dataset.popularity()),
            splits: splits.iter().map(summary).collect(),
            unit: unit.to_owned(),
            split_by: dataset.split_by,
            leaks: leaks(&splits, dataset.split_by),
            samples: samples(dataset),
            remarks: dataset.remarks.clone(),
        }
    }
}

fn coverage(dataset: &Dataset) -> Vec<RelationCoverage> {
    // Relation -> value -> items that have it; an item that lists a value twice counts once.
    let mut relations = BTreeMap::<&str, HashMap<&str, HashSet<usize>>>::new();
    for (index, item) in dataset.catalogue.iter() {
        for attribute in &item.attributes {
            let values = relations.entry(&attribute.relation).or_default();
            let holders = values.entry(&attribute.value).or_default();
            holders.insert(index.position());
        }
    }
    let covered = |(relation, values): (&str, HashMap<&str, HashSet<usize>>)| {
        let items: HashSet<usize> = values.values().flatten().copied().collect();
        RelationCoverage {
            relation: relation.to_owned(),
            items: items.len(),
            values: values.len(),
            shared_values: values.values().filter(|items| items.len() > 1).count(),
        }
    };
    relations.into_iter().map(covered).collect()
}

impl SplitSummary {
    fn new(
        name: &str,
        queries: &[Query],
        items: usize,
        measure: &impl Fn(&[Message]) -> usize,
    ) -> Self {
        let mut classes = BTreeMap::new();
        for query in queries {
            *classes.entry(query.class.label().to_owned()).or_default() += 1;
        }
        let spread =
            |number: &dyn Fn(&Query) -> usize| Spread::of(queries.iter().map(number).collect());
        Self {
            name: name.to_owned(),
            queries: queries.len(),
            classes,
            with_history: queries.iter().filter(|q| !q.history.is_empty()).count(),
            candidates: spread(&|query| query.candidates.as_ref().map_or(items, Vec::len)),
            targets: spread(&|query| query.targets.len()),
            prompt: spread(&|query| measure(&query.conversation)),
        }
    }
}

/// What validation and test share with train, and test with validation.
fn leaks(splits: &[(&str, &[Query]); 3], split_by: SplitBy) -> Vec<Leak> {
    let [train, validation, test] = splits;
    let mut leaks = Vec::new();
    for (from, into) in [(train, validation), (train, test), (validation, test)] {
        let apart = match split_by {
            SplitBy::Target => ("targets", sharing_targets(from.1, into.1)),
            SplitBy::User => ("users", sharing_users(from.1, into.1)),
            SplitBy::Time => ("times", not_later(from.1, into.1)),
        };
        let prompts = ("prompts", sharing_prompts(from.1, into.1));
        let found = [apart, prompts]
            .into_iter()
            .filter(|(_, queries)| *queries > 0);
        leaks.extend(found.map(|(what, queries)| Leak {
            from: from.0.to_owned(),
            into: into.0.to_owned(),
            what: what.to_owned(),
            queries,
            of: into.1.len(),
        }));
    }
    leaks
}

fn sharing_targets(from: &[Query], into: &[Query]) -> usize {
    let targets: HashSet<_> = from.iter().flat_map(|query| &query.targets).collect();
    let shares = |query: &&Query| query.targets.iter().any(|id| targets.contains(id));
    into.iter().filter(shares).count()
}

fn sharing_prompts(from: &[Query], into: &[Query]) -> usize {
    let prompts: HashSet<_> = from.iter().map(|query| &query.conversation).collect();
    let shares = |query: &&Query| prompts.contains(&query.conversation);
    into.iter().filter(shares).count()
}

/// Those of nobody known count too: they may be anybody's.
fn sharing_users(from: &[Query], into: &[Query]) -> usize {
    if from.is_empty() {
        return 0;
    }
    let users: HashSet<_> = from
        .iter()
        .filter_map(|query| query.user.as_ref())
        .collect();
    let shares = |query: &&Query| query.user.as_ref().is_none_or(|user| users.contains(user));
    into.iter().filter(shares).count()
}

/// Those of no known time count too: they may be of any.
fn not_later(from: &[Query], into: &[Query]) -> usize {
    if from.is_empty() {
        return 0;
    }
    let last = from.iter().filter_map(|query| query.time).max();
    let is_later = |query: &Query| {
        query
            .time
            .is_some_and(|time| last.is_none_or(|last| time > last))
    };
    into.iter().filter(|query| !is_later(query)).count()
}

fn samples(dataset: &Dataset) -> Vec<QuerySample> {
    let mut by_class = BTreeMap::<&QueryClass, Vec<&Query>>::new();
    for query in &dataset.splits.train {
        let shown = by_class.entry(&query.class).or_default();
        if shown.len() < SAMPLES {
            shown.push(query);
        }
    }
    let title = |id: &ItemId| {
        let index = dataset.catalogue.index_of(id);
        index.map_or_else(String::new, |index| {
            dataset.catalogue.get(index).title.clone()
        })
    };
    let sample = |query: &Query| QuerySample {
        id: query.id.to_string(),
        class: query.class.label().to_owned(),
        conversation: query.conversation.clone(),
        targets: query.targets.iter().map(title).collect(),
    };
    by_class.into_values().flatten().map(sample).collect()
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} items", self.items)?;
        for covered in &self.relations {
            let RelationCoverage {
                relation,
                items,
                values,
                shared_values,
            } = covered;
            let share = 100.0 * *items as f64 / self.items.max(1) as f64;
            writeln!(
                f,
                "  {relation}: {share:.1} % of the items, {values} values, {shared_values} of them shared by several items"
            )?;
        }
        writeln!(
            f,
            "{} ratings by {} users, {} of them choices; choices per item: {}",
            self.ratings, self.users, self.choices, self.popularity
        )?;
        for split in &self.splits {
            self.show_split(split, f)?;
        }
        match self.leaks.as_slice() {
            [] => {
                let apart = match self.split_by {
                    SplitBy::Target => "the splits share neither targets nor prompts",
                    SplitBy::User => "the splits share neither users nor prompts",
                    SplitBy::Time => {
                        "each split is later than the one before, and they share no prompts"
                    }
                };
                writeln!(f, "no leaks: {apart}")?;
            }
            leaks => leaks
                .iter()
                .try_for_each(|leak| writeln!(f, "leak: {leak}"))?,
        }
        for remark in &self.remarks {
            writeln!(f, "note: {remark}")?;
        }
        for sample in &self.samples {
            let QuerySample {
                id, class, targets, ..
            } = sample;
            writeln!(f, "\n{class}, {id}, right: {}", targets.join("; "))?;
            for message in &sample.conversation {
                writeln!(f, "[{}] {}", message.role, message.content.trim_end())?;
            }
        }
        Ok(())
    }
}

impl Inspection {
    fn show_split(&self, split: &SplitSummary, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = split.classes.iter();
        let counts: Vec<String> = counts
            .map(|(class, count)| format!("{count} {class}"))
            .collect();
        writeln!(f, "{}: {} queries", split.name, split.queries)?;
        if split.queries == 0 {
            return Ok(());
        }
        writeln!(f, "  classes: {}", counts.join(", "))?;
        writeln!(f, "  candidates: {}", split.candidates)?;
        writeln!(f, "  with a history: {}", split.with_history)?;
        writeln!(f, "  prompt in {}: {}", self.unit, split.prompt)
    }
}

#[cfg(test)]
mod tests {
    use rerec_rewards::{Catalogue, Item};

    use super::*;
    use crate::dataset::Splits;

    fn query(id: &str, prompt: &str, target: &str) -> Query {
        Query {
            id: id.into(),
            class: QueryClass::EXPLICIT,
            conversation: vec![Message::user(prompt)],
            targets: vec![target.into()],
            candidates: None,
            conditions: Vec::new(),
            history: Vec::new(),
            user: None,
            time: None,
        }
    }

    #[test]
    fn what_the_splits_share_is_a_leak() {
        let items = ["a", "b", "c"].map(|id| Item::new(id, id.to_uppercase()));
        let dataset = Dataset {
            catalogue: Catalogue::new(items.into()).unwrap(),
            splits: Splits {
                train: vec![query("1", "one", "a"), query("2", "two", "b")],
                validation: vec![query("3", "two", "c")],
                test: vec![query("4", "four", "a"), query("5", "five", "c")],
            },
            ..Dataset::default()
        };
        let inspection = Inspection::new(&dataset, "characters", |prompt| prompt[0].content.len());
        let leaks: Vec<String> = inspection.leaks.iter().map(Leak::to_string).collect();
        assert_eq!(
            leaks,
            [
                "1 of 1 validation queries share prompts with train queries",
                "1 of 2 test queries share targets with train queries",
                "1 of 2 test queries share targets with validation queries",
            ]
        );
        assert_eq!(inspection.splits[0].candidates.max, 3);
        assert_eq!(inspection.splits[2].prompt.max, 4);
        let page = inspection.to_string();
        assert!(
            page.contains("explicit, 1, right: A\n[user] one\n"),
            "{page}"
        );
    }

    #[test]
    fn users_and_times_are_kept_apart_where_the_splits_are_by_them() {
        let asked = |id: &str, user: Option<&str>, time: Option<i64>| Query {
            user: user.map(Into::into),
            time,
            ..query(id, id, "a")
        };
        let train = [asked("1", Some("ann"), Some(5)), asked("2", None, None)];
        let test = [
            asked("3", Some("bob"), Some(6)),
            asked("4", Some("ann"), Some(5)),
            asked("5", None, None),
        ];
        let splits: [(&str, &[Query]); 3] =
            [("train", &train), ("validation", &[]), ("test", &test)];
        let told = |split_by| -> Vec<String> {
            leaks(&splits, split_by)
                .iter()
                .map(Leak::to_string)
                .collect()
        };
        assert_eq!(
            told(SplitBy::Target),
            ["3 of 3 test queries share targets with train queries"]
        );
        assert_eq!(
            told(SplitBy::User),
            ["2 of 3 test queries share users with train queries"]
        );
        assert_eq!(
            told(SplitBy::Time),
            ["2 of 3 test queries share times with train queries"]
        );
    }

    #[test]
    fn spreads_name_the_middle_and_the_end() {
        let spread = Spread::of((1..=100).rev().collect());
        assert_eq!(spread.to_string(), "1 to 100, median 50, 95 % up to 95");
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
