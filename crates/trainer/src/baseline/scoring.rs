//! What a baseline thinks of an item.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use rand::RngExt;
use rerec_datasets::{Dataset, Query, Retriever};
use rerec_policy::random_stream;
use rerec_rewards::{Catalogue, EmbeddingTable, ItemId, ItemIndex, LightGcnConfig};
use rerec_text::fold;

use super::Baseline;
use crate::error::Result;
use crate::evaluation::mean;
use crate::reward_source::lightgcn_embeddings;

/// A baseline, ready to rank.
pub(super) struct Scorer<'d> {
    catalogue: &'d Catalogue,
    kind: Kind,
}

enum Kind {
    Random,
    Popularity(Vec<usize>),
    /// Popularity is for queries without a history.
    Embeddings {
        table: EmbeddingTable,
        popularity: Vec<usize>,
    },
    Words(Retriever),
    /// Folded attribute values of each item, each between spaces.
    Attributes(Vec<Vec<String>>),
}

impl<'d> Scorer<'d> {
    pub(super) fn new(
        baseline: Baseline,
        dataset: &'d Dataset,
        queries: &'d [Query],
        lightgcn: LightGcnConfig,
    ) -> Result<Self> {
        let catalogue = &dataset.catalogue;
        let choices = || known_choices(dataset, queries);
        let kind = match baseline {
            Baseline::Random => Kind::Random,
            Baseline::Popularity => Kind::Popularity(dataset.popularity_by(choices())),
            Baseline::Lightgcn => Kind::Embeddings {
                table: lightgcn_embeddings(choices(), lightgcn, |_| ())?,
                popularity: dataset.popularity_by(choices()),
            },
            Baseline::Bm25 => Kind::Words(Retriever::new(catalogue)),
            Baseline::Overlap => {
                let values = catalogue.items().iter().map(|item| {
                    let values = item.attributes.iter();
                    values.map(|attribute| words(&attribute.value)).collect()
                });
                Kind::Attributes(values.collect())
            }
        };
        Ok(Self { catalogue, kind })
    }

    /// The offered items, best first.
    pub(super) fn ranked(&self, offered: &[ItemIndex], query: &Query, seed: u64) -> Vec<ItemIndex> {
        let scores = self.scores(offered, query);
        // In the order of the catalogue, so that the order in which candidates are given decides nothing.
        let mut items: Vec<(ItemIndex, f64)> = offered.iter().copied().zip(scores).collect();
        items.sort_by_key(|(item, _)| item.position());
        let mut random = random_stream(seed, "baseline", query.id.as_str(), 0);
        let mut items: Vec<_> = items
            .into_iter()
            .map(|(item, score)| (item, score, random.random::<u64>()))
            .collect();
        items.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.2.cmp(&b.2)));
        items.into_iter().map(|(item, ..)| item).collect()
    }

    fn scores(&self, offered: &[ItemIndex], query: &Query) -> Vec<f64> {
        match &self.kind {
            Kind::Random => vec![0.0; offered.len()],
            Kind::Embeddings { table, .. } if !query.history.is_empty() => {
                let id = |item: &ItemIndex| &self.catalogue.get(*item).id;
                let score = |item| likeness(table, id(item), &query.history);
                offered.iter().map(score).collect()
            }
            Kind::Popularity(counts)
            | Kind::Embeddings {
                popularity: counts, ..
            } => {
                let count = |item: &ItemIndex| counts[item.position()] as f64;
                offered.iter().map(count).collect()
            }
            Kind::Words(retriever) => {
                let text = question(query, self.catalogue);
                let found = retriever.search(&text, self.catalogue.len());
                let scores: HashMap<ItemIndex, f32> = found.into_iter().collect();
                let score = |item| scores.get(item).copied().unwrap_or(0.0);
                offered.iter().map(|item| score(item).into()).collect()
            }
            Kind::Attributes(values) => {
                let text = words(&question(query, self.catalogue));
                let named = |value: &&String| text.contains(value.as_str());
                let count = |item: &ItemIndex| values[item.position()].iter().filter(named).count();
                offered.iter().map(|item| count(item) as f64).collect()
            }
        }
    }
}

/// The data's choices without those that the queries ask for.
fn known_choices<'d>(
    dataset: &'d Dataset,
    queries: &'d [Query],
) -> impl Iterator<Item = (&'d str, &'d str)> {
    let asked: HashSet<(&str, &str)> = queries
        .iter()
        .filter_map(|query| Some((query.user.as_ref()?.as_str(), &query.targets)))
        .flat_map(|(user, targets)| targets.iter().map(move |target| (user, target.as_str())))
        .collect();
    let choices = dataset.choices();
    choices.filter(move |choice| !asked.contains(choice))
}

/// Mean dot product with the liked items: LightGCN's score for a user whose embedding is the mean of theirs. An item that nobody
/// chose comes last.
pub(crate) fn likeness(embeddings: &EmbeddingTable, item: &ItemId, liked: &[ItemId]) -> f64 {
    let Some(own) = embeddings.row(item.as_str()) else {
        return f64::NEG_INFINITY;
    };
    let liked = liked.iter().filter_map(|id| embeddings.row(id.as_str()));
    mean(liked.map(|other| f64::from(own.dot(&other))))
}

/// What a user says, without the list of options: every option names itself there, which tells nothing of what is asked for. Titles of
/// candidates elsewhere are cut out as well.
fn question(query: &Query, catalogue: &Catalogue) -> String {
    let titles = query.candidates.iter().flatten();
    let title = |id: &ItemId| Some(catalogue.get(catalogue.index_of(id)?).title.as_str());
    let mut titles: Vec<&str> = titles.filter_map(title).collect();
    // Longer ones first: a title may hold another.
    titles.sort_by_key(|title| Reverse(title.len()));
    let said = query
        .conversation
        .iter()
        .flat_map(|message| message.content.lines());
    let lines = said.filter(|line| !titles.iter().any(|title| is_option(line, title)));
    let cut = |line: &str| {
        titles
            .iter()
            .fold(line.to_owned(), |line, title| without(&line, title))
    };
    lines.map(cut).collect::<Vec<_>>().join("\n")
}

/// Whether a line is an entry of a list of options: a title behind a number or a dash, or alone but for facts in brackets.
fn is_option(line: &str, title: &str) -> bool {
    let line = line.trim();
    let alone = line.strip_prefix(title);
    let marked = unmarked(line).and_then(|entry| entry.strip_prefix(title));
    alone.is_some_and(|rest| rest.is_empty() || (rest.starts_with(" (") && rest.ends_with(')')))
        || marked.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

/// What stands behind a dash, `[3]`, `3.` or `3)`; none where a line begins otherwise.
fn unmarked(line: &str) -> Option<&str> {
    let dashless = line.trim_start_matches(['-', '*', '•']);
    let open = dashless.trim_start();
    let open = open.strip_prefix('[').unwrap_or(open);
    let behind = open.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_number = behind.len() < open.len();
    let numberless = behind.strip_prefix([']', '.', ')']).filter(|_| is_number);
    let dashless = (dashless.len() < line.len()).then_some(dashless);
    numberless.or(dashless).map(str::trim_start)
}

/// A text without a title, where the title stands as whole words.
fn without(text: &str, title: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(title).filter(|_| !title.is_empty()) {
        let (before, behind) = (&rest[..at], &rest[at + title.len()..]);
        kept.push_str(before);
        let is_inside =
            kept.ends_with(char::is_alphanumeric) || behind.starts_with(char::is_alphanumeric);
        kept.push_str(if is_inside { title } else { " " });
        rest = behind;
    }
    kept + rest
}

/// Folded words, each between two spaces, so that a value is found as whole words alone.
fn words(text: &str) -> String {
    let folded = fold(text);
    let words = folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.fold(String::from(" "), |text, word| text + word + " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_words_are_no_options() {
        assert!(!is_option("It should be a horror novel set in Maine", "It"));
        assert!(
            is_option("[3] It", "It")
                && is_option("It", "It")
                && is_option("It (genre horror)", "It")
        );
        assert!(is_option("- 1984 (1949)", "1984 (1949)") && is_option("12. Go: a film", "Go"));
        assert!(!is_option("2 Good films", "Go"));
        assert_eq!(
            without("Good films like Go, please", "Go"),
            "Good films like  , please"
        );
    }
}
