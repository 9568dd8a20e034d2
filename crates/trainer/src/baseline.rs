//! Rankings without a language model, to compare with.

mod scoring;

use std::collections::BTreeMap;

use rerec_datasets::{Dataset, Query, QueryClass};
use rerec_rewards::{ItemIndex, LightGcnConfig};
use serde::{Deserialize, Serialize};

use self::scoring::Scorer;
pub(crate) use self::scoring::likeness;
use crate::answers::{AnswerRecord, JudgedAnswer};
use crate::error::Result;
use crate::evaluation::Scores;
use crate::query_table::PreparedQuery;

/// A way to rank the items that a query offers, by the conversation, the history, the catalogue, and the data's choices.
///
/// A choice that a query asks for, its user's of a target, is left out of what popularity and LightGCN see. Where the data do not say whose
/// query it is, that choice is among the others: these two then know more than they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// In random order.
    Random,
    /// By how many users [chose](Dataset::choices) an item.
    Popularity,
    /// By LightGCN (arXiv 2002.02126), trained on the data's [choices](Dataset::choices): the dot product of an item's embedding with
    /// the mean of the history's. Queries without a history are ranked by popularity.
    Lightgcn,
    /// By the words that title and attributes share with the conversation (Okapi BM25).
    Bm25,
    /// By the number of an item's attribute values that the conversation names.
    Overlap,
}

/// What a baseline gets right on the test queries: a line of `baselines.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineRecord {
    /// Which.
    pub baseline: Baseline,
    /// All queries together.
    pub overall: Scores,
    /// Each class.
    pub classes: BTreeMap<QueryClass, Scores>,
}

impl BaselineRecord {
    pub(crate) fn of(baseline: Baseline, records: &[AnswerRecord]) -> Self {
        let (overall, classes) = Scores::with_classes(records);
        Self {
            baseline,
            overall,
            classes,
        }
    }
}

/// Most items of a ranking that are kept.
const KEPT: usize = 100;

impl Baseline {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Random,
        Self::Popularity,
        Self::Lightgcn,
        Self::Bm25,
        Self::Overlap,
    ];

    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Popularity => "popularity",
            Self::Lightgcn => "lightgcn",
            Self::Bm25 => "bm25",
            Self::Overlap => "overlap",
        }
    }

    /// As it stands above a table's column.
    pub fn label(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Popularity => "popularity",
            Self::Lightgcn => "LightGCN",
            Self::Bm25 => "BM25",
            Self::Overlap => "attribute overlap",
        }
    }

    /// Ranks what each query offers, candidates or the catalogue without the history; the first `cutoff` items are the answer, at most
    /// 100 are kept. Items of equal score come in a random order that `seed` and the query's id decide, so that the order of the
    /// candidates tells nothing.
    ///
    /// # Errors
    /// A query with an item that the catalogue does not have; ratings that LightGCN cannot be trained on.
    pub fn answers(
        self,
        dataset: &Dataset,
        queries: &[Query],
        cutoff: usize,
        seed: u64,
    ) -> Result<Vec<AnswerRecord>> {
        let lightgcn = LightGcnConfig {
            seed,
            ..LightGcnConfig::default()
        };
        let scorer = Scorer::new(self, dataset, queries, lightgcn)?;
        let answer = |query| {
            let query = PreparedQuery::new(query, &dataset.catalogue)?;
            let mut record = AnswerRecord::of(&query, &dataset.catalogue, cutoff);
            let candidates = query.candidates.as_ref();
            let holds_target =
                |offered: &Vec<_>| query.targets.iter().any(|one| offered.contains(one));
            // A fault of the data, which takes no part in a model's score either.
            if !candidates.is_none_or(holds_target) {
                record.error = Some("no target is among the candidates".to_owned());
                return Ok(record);
            }
            let ranked = scorer.ranked(&offered(&query, dataset), query.query, seed);
            let ids = ranked.into_iter().take(KEPT);
            let ids = ids.map(|item| dataset.catalogue.get(item).id.clone());
            record.answers.push(JudgedAnswer::of_ranking(
                ids.collect(),
                &record.targets,
                cutoff,
            )?);
            Ok(record)
        };
        queries.iter().map(answer).collect()
    }
}

/// The items to choose from.
fn offered(query: &PreparedQuery<'_>, dataset: &Dataset) -> Vec<ItemIndex> {
    let is_new = |item: &ItemIndex| {
        !query
            .query
            .history
            .contains(&dataset.catalogue.get(*item).id)
    };
    let all = || dataset.catalogue.iter().map(|(item, _)| item);
    match &query.candidates {
        Some(candidates) => candidates.clone(),
        None => all().filter(is_new).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rerec_datasets::{QueryClass, Rating};
    use rerec_rewards::{Attribute, Catalogue, Item};
    use rerec_text::Message;

    fn dataset() -> Dataset {
        let item = |id: &str, title: &str, director: &str| {
            let mut item = Item::new(id, title);
            item.attributes.push(Attribute {
                relation: "director".to_owned(),
                value: director.to_owned(),
            });
            item
        };
        let items = vec![
            item("1", "Heat (1995)", "Michael Mann"),
            item("2", "Alien (1979)", "Ridley Scott"),
            item("3", "Blade Runner (1982)", "Ridley Scott"),
        ];
        let rating = |user: &str, item: &str| Rating {
            user: user.into(),
            item: item.into(),
            rating: 5.0,
            time: None,
        };
        Dataset {
            catalogue: Catalogue::new(items).unwrap(),
            ratings: vec![rating("a", "2"), rating("b", "2"), rating("a", "3")],
            ..Dataset::default()
        }
    }

    fn query(said: &str) -> Query {
        Query {
            id: "q".into(),
            class: QueryClass::EXPLICIT,
            conversation: vec![Message::user(said)],
            targets: vec!["3".into()],
            candidates: Some(["1", "2", "3"].map(Into::into).into()),
            conditions: Vec::new(),
            history: Vec::new(),
            user: None,
            time: None,
        }
    }

    fn ranking(baseline: Baseline, query: &Query) -> Vec<String> {
        let answers = baseline
            .answers(&dataset(), std::slice::from_ref(query), 1, 7)
            .unwrap();
        let ranking = &answers[0].answers[0].ranking;
        ranking.iter().flatten().map(ToString::to_string).collect()
    }

    #[test]
    fn popularity_counts_choices() {
        assert_eq!(
            ranking(Baseline::Popularity, &query("A film.")),
            ["2", "3", "1"]
        );
    }

    #[test]
    fn the_choice_that_is_asked_for_is_not_known() {
        let mut query = query("A film.");
        // Two chose 2 and one chose 3; without b's own choice both have one, and the seed decides.
        (query.user, query.targets) = (Some("b".into()), vec!["2".into()]);
        let first = |seed| {
            let answers = Baseline::Popularity
                .answers(&dataset(), &[query.clone()], 1, seed)
                .unwrap();
            answers[0].answers[0].ranking[0].clone()
        };
        let firsts: std::collections::BTreeSet<_> = (0..20).map(first).collect();
        assert_eq!(firsts.len(), 2);
    }

    #[test]
    fn a_history_is_excluded_where_the_whole_catalogue_is_meant() {
        let mut open = query("A film.");
        (open.candidates, open.history) = (None, vec!["2".into()]);
        assert_eq!(ranking(Baseline::Popularity, &open), ["3", "1"]);
    }

    #[test]
    fn the_lists_of_options_say_nothing_to_words_and_attributes() {
        // Every option names itself: only the question may count.
        let options =
            "[1] Heat (1995) (director Michael Mann)\n[2]Alien (1979)\n- Blade Runner (1982)\n";
        let asked = query(&format!(
            "Something by michael mann, please.\nOptions:\n{options}"
        ));
        assert_eq!(ranking(Baseline::Overlap, &asked)[0], "1");
        assert_eq!(ranking(Baseline::Bm25, &asked)[0], "1");
        let asked = query(&format!("Ridley Scott, with a runner.\n{options}"));
        assert_eq!(ranking(Baseline::Bm25, &asked), ["3", "2", "1"]);
        assert_eq!(ranking(Baseline::Overlap, &asked)[2], "1");
    }

    #[test]
    fn ties_are_broken_by_the_seed_and_not_by_the_order_of_the_candidates() {
        let first = |seed, candidates: [&str; 3]| {
            let mut query = query("A film.");
            query.candidates = Some(candidates.map(Into::into).into());
            let answers = Baseline::Random
                .answers(&dataset(), &[query], 1, seed)
                .unwrap();
            answers[0].answers[0].ranking[0].clone()
        };
        let firsts: std::collections::BTreeSet<_> =
            (0..20).map(|seed| first(seed, ["1", "2", "3"])).collect();
        assert_eq!(firsts.len(), 3);
        for seed in 0..20 {
            assert_eq!(first(seed, ["1", "2", "3"]), first(seed, ["3", "1", "2"]));
        }
    }

    #[test]
    fn lightgcn_follows_the_history_and_popularity_without_one() {
        let mut dataset = dataset();
        // Two circles of users who share nothing.
        let rating = |user: usize, item: &str| Rating {
            user: user.to_string().into(),
            item: item.into(),
            rating: 5.0,
            time: None,
        };
        let items = (0..8).map(|n| Item::new(format!("i{n}"), format!("Title {n}")));
        dataset.catalogue = Catalogue::new(items.collect()).unwrap();
        let circles = (0..40).flat_map(|user| {
            let first = (user % 2) * 4;
            (first..first + 4)
                .filter(move |item| (user / 2 + item) % 4 != 0)
                .map(move |item| rating(user, &format!("i{item}")))
        });
        dataset.ratings = circles.collect();
        let mut query = query("A film.");
        query.targets = vec!["i5".into()];
        query.candidates = Some(["i1", "i5", "i2"].map(Into::into).into());
        query.history = vec!["i4".into(), "i6".into()];
        let answers = Baseline::Lightgcn
            .answers(&dataset, &[query.clone()], 1, 1)
            .unwrap();
        assert_eq!(answers[0].answers[0].ranking[0], Some("i5".into()));
    }
}
