use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rerec_text::Title;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use super::AttributeGraph;
use crate::{Attribute, Catalogue};

/// Pairs of items compared at most, and fewest that tell anything.
const PAIRS: std::ops::RangeInclusive<usize> = 30..=2000;

/// Items of an attribute whose pairs are compared: a director, not a language.
const CLIQUE: std::ops::RangeInclusive<usize> = 2..=20;

/// Random joins that the real one is compared with.
const SHUFFLES: usize = 20;

/// Standard deviations above the random joins from which a join counts as better.
const THRESHOLD: f64 = 3.0;

/// Whether a graph was joined to the items that it is about.
///
/// A join by ids of another data set yields a graph that looks like data and is noise. If it is
/// right, items that share a rare attribute have more in common in the catalogue itself, a word of
/// the title or an attribute, than the same pairs after the items were shuffled.
///
/// ```
/// # use rerec_rewards::{Attribute, AttributeGraph, Catalogue, Item, JoinBy, Triple};
/// // Thirty films, each with a sequel by the same director.
/// let film = |n: usize| Item::new(n.to_string(), format!("Saga{} Part{n}", n / 2));
/// let catalogue = Catalogue::new((0..60).map(film).collect())?;
/// let directed = |n: usize, id: usize| Triple {
///     item: id.to_string(),
///     id: None,
///     attribute: Attribute { relation: "director".into(), value: format!("d{}", n / 2) },
/// };
/// // The file counts films in another order: its ids exist in the catalogue, but for other films.
/// let foreign = |n: usize| n * 7 % 60;
/// let raw: Vec<_> = (0..60).map(|n| directed(n, foreign(n))).collect();
/// let joined = AttributeGraph::from_triples(&raw, &catalogue, JoinBy::Id)?;
/// assert_eq!(joined.report.joined, 60);
/// assert!(joined.report.id_space.looks_wrong());
///
/// let mended: Vec<_> = (0..60).map(|n| directed(n, n)).collect();
/// let joined = AttributeGraph::from_triples(&mended, &catalogue, JoinBy::Id)?;
/// assert!(!joined.report.id_space.looks_wrong());
/// // Each of the 30 pairs of films shares the word of its saga, the only one that two titles have.
/// assert_eq!(joined.report.id_space.title_words.map(|words| (words.pairs, words.joined)), Some((30, 1.0)));
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IdSpaceCheck {
    /// Words of the titles in common, if enough pairs could be compared.
    pub title_words: Option<Agreement>,
    /// The catalogue's own attributes in common, if it has any and enough pairs could be compared.
    pub attributes: Option<Agreement>,
}

/// How much linked items have in common.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Agreement {
    /// Pairs compared.
    pub pairs: usize,
    /// Mean overlap |A ∩ B| / |A ∪ B| of the pairs.
    pub joined: f64,
    /// The same for shuffled joins: mean.
    pub shuffled_mean: f64,
    /// The same for shuffled joins: standard deviation.
    pub shuffled_std: f64,
}

impl Agreement {
    /// Whether the join agrees clearly more than shuffled ones, by three standard deviations.
    pub fn is_better_than_chance(&self) -> bool {
        self.joined > self.shuffled_mean + THRESHOLD * self.shuffled_std
    }
}

impl IdSpaceCheck {
    /// Whether there was something to compare and none of it is better than chance: the ids probably
    /// belong to another data set.
    pub fn looks_wrong(&self) -> bool {
        let mut evidence = [self.title_words, self.attributes]
            .into_iter()
            .flatten()
            .peekable();
        // One kind of evidence is enough: films of one director need not share a word of their
        // titles.
        evidence.peek().is_some() && !evidence.any(|agreement| agreement.is_better_than_chance())
    }
}

impl AttributeGraph {
    /// Compares the graph with what the catalogue says of the same items; always the same for the
    /// same input.
    pub fn check_id_space(&self, catalogue: &Catalogue) -> IdSpaceCheck {
        // A fixed seed: the same file must always give the same warning.
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let pairs = self.linked_pairs(&mut rng);
        let rows: Vec<usize> = (0..self.ids.len())
            .filter(|&row| self.offsets[row] < self.offsets[row + 1])
            .collect();
        let mut agreement = |features: &[Vec<u32>]| agreement(features, &pairs, &rows, &mut rng);
        IdSpaceCheck {
            title_words: agreement(&title_words(catalogue)),
            attributes: agreement(&own_attributes(catalogue)),
        }
    }

    /// Pairs of items that share a rare attribute, at most so many.
    fn linked_pairs(&self, rng: &mut ChaCha8Rng) -> Vec<(usize, usize)> {
        let mut cliques: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
        for (item, bounds) in self.offsets.windows(2).enumerate() {
            for attribute in &self.edges[bounds[0]..bounds[1]] {
                if CLIQUE.contains(&(self.degrees[*attribute as usize] as usize)) {
                    cliques.entry(*attribute).or_default().push(item);
                }
            }
        }
        // A hash map's order is nobody's choice: sorted first, the shuffle is the same on every run.
        let mut cliques: Vec<Vec<usize>> = cliques.into_values().collect();
        cliques.sort_unstable();
        cliques.shuffle(rng);
        let mut pairs = FxHashSet::default();
        for clique in &cliques {
            for (position, &first) in clique.iter().enumerate() {
                pairs.extend(clique[position + 1..].iter().map(|&second| (first, second)));
            }
            if pairs.len() >= *PAIRS.end() {
                break;
            }
        }
        // A set has no order either, and the sum of floats below depends on it.
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_unstable();
        pairs
    }
}

/// Mean overlap of the pairs' features, against shuffles of the items that have both.
fn agreement(
    features: &[Vec<u32>],
    pairs: &[(usize, usize)],
    rows: &[usize],
    rng: &mut ChaCha8Rng,
) -> Option<Agreement> {
    let rows: Vec<usize> = rows
        .iter()
        .copied()
        .filter(|&row| !features[row].is_empty())
        .collect();
    let pairs: Vec<(usize, usize)> = pairs
        .iter()
        .copied()
        .filter(|&(a, b)| !features[a].is_empty() && !features[b].is_empty())
        .collect();
    if pairs.len() < *PAIRS.start() {
        return None;
    }
    let mean = |place: &[usize]| {
        let overlaps = pairs
            .iter()
            .map(|&(a, b)| overlap(&features[place[a]], &features[place[b]]));
        overlaps.sum::<f64>() / pairs.len() as f64
    };
    let mut place: Vec<usize> = (0..features.len()).collect();
    let joined = mean(&place);
    // Only items with edges and features are shuffled, so that shuffled pairs have features to
    // compare as well.
    let mut shuffled = rows.clone();
    let shuffles: Vec<f64> = std::iter::repeat_with(|| {
        shuffled.shuffle(rng);
        rows.iter()
            .zip(&shuffled)
            .for_each(|(&row, &other)| place[row] = other);
        mean(&place)
    })
    .take(SHUFFLES)
    .collect();
    let shuffled_mean = shuffles.iter().sum::<f64>() / SHUFFLES as f64;
    let squares = shuffles
        .iter()
        .map(|x| (x - shuffled_mean).powi(2))
        .sum::<f64>();
    let shuffled_std = (squares / (SHUFFLES - 1) as f64).sqrt();
    Some(Agreement {
        pairs: pairs.len(),
        joined,
        shuffled_mean,
        shuffled_std,
    })
}

/// |A ∩ B| / |A ∪ B| of ascending lists that are not both empty.
fn overlap(a: &[u32], b: &[u32]) -> f64 {
    let common = a.iter().filter(|x| b.binary_search(x).is_ok()).count();
    common as f64 / (a.len() + b.len() - common) as f64
}

/// Words of each title that some other titles have, but not so many as "of".
fn title_words(catalogue: &Catalogue) -> Vec<Vec<u32>> {
    let titles = catalogue
        .items()
        .iter()
        .map(|item| Title::read(&item.title));
    let words: Vec<Vec<String>> = titles
        .map(|title| {
            // The two spellings of a title differ in raised digits alone; one of them is enough.
            title
                .names
                .last()
                .map(|name| name.split(' ').map(str::to_owned).collect())
        })
        .map(Option::unwrap_or_default)
        .collect();
    let mut features = Features::default();
    let mut numbered: Vec<Vec<u32>> = words.iter().map(|words| features.number(words)).collect();
    // A word of one title links nothing, and one of every hundredth title links everything.
    let common = (catalogue.len() / 100).max(10) as u32;
    for words in &mut numbered {
        words.retain(|&word| (2..=common).contains(&features.counts[word as usize]));
    }
    numbered
}

fn own_attributes(catalogue: &Catalogue) -> Vec<Vec<u32>> {
    let mut features = Features::<Attribute>::default();
    catalogue
        .items()
        .iter()
        .map(|item| features.number(&item.attributes))
        .collect()
}

/// Numbers for words or attributes, with how many items have them.
struct Features<'a, T> {
    numbers: FxHashMap<&'a T, u32>,
    counts: Vec<u32>,
}

impl<T> Default for Features<'_, T> {
    fn default() -> Self {
        Self {
            numbers: FxHashMap::default(),
            counts: Vec::new(),
        }
    }
}

impl<'a, T: Eq + std::hash::Hash> Features<'a, T> {
    /// The features' numbers, ascending, each once.
    fn number(&mut self, features: &'a [T]) -> Vec<u32> {
        let mut numbers: Vec<u32> = features
            .iter()
            .map(|feature| {
                let next = self.numbers.len() as u32;
                *self.numbers.entry(feature).or_insert(next)
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        self.counts.resize(self.numbers.len(), 0);
        numbers
            .iter()
            .for_each(|&number| self.counts[number as usize] += 1);
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Item, JoinBy, Triple};

    /// Sixty series of three films, each with a director of its own and a word in the title.
    fn series() -> (Catalogue, Vec<Triple>) {
        let films = || (0..180).map(|film| (film, film / 3));
        let genre = |series: usize| Attribute {
            relation: "genre".into(),
            value: format!("g{}", series % 9),
        };
        let items = films().map(|(film, series)| Item {
            attributes: vec![genre(series)],
            ..Item::new(film.to_string(), format!("The Saga{series} of Part{film}"))
        });
        let triples = films().map(|(film, series)| Triple {
            item: film.to_string(),
            id: None,
            attribute: Attribute {
                relation: "director".into(),
                value: format!("d{series}"),
            },
        });
        (Catalogue::new(items.collect()).unwrap(), triples.collect())
    }

    #[test]
    fn a_right_join_agrees_and_one_by_foreign_ids_does_not() {
        let (catalogue, mut triples) = series();
        let check = |triples: &[Triple]| {
            AttributeGraph::from_triples(triples, &catalogue, JoinBy::Id)
                .unwrap()
                .report
                .id_space
        };
        let right = check(&triples);
        assert!(!right.looks_wrong(), "{right:?}");
        let words = right.title_words.unwrap();
        // "the" and "of" are too common, "part…" is alone: the word of the series is left.
        assert_eq!((words.pairs, words.joined), (180, 1.0));
        assert!(right.attributes.unwrap().is_better_than_chance());
        let mut foreign: Vec<_> = triples.iter().map(|triple| triple.item.clone()).collect();
        foreign.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
        triples
            .iter_mut()
            .zip(foreign)
            .for_each(|(triple, id)| triple.item = id);
        let wrong = check(&triples);
        assert!(wrong.looks_wrong(), "{wrong:?}");
        assert_eq!(wrong, check(&triples));
    }

    /// A link file with the ids of another edition of the data set, as the ml-100k one of RecBole has ml-1m's.
    #[test]
    fn a_mended_join_is_quiet_again() {
        let (catalogue, triples) = series();
        let mut foreign: Vec<usize> = (0..180).collect();
        foreign.shuffle(&mut ChaCha8Rng::seed_from_u64(2));
        let with_ids = |id: &dyn Fn(usize) -> usize| -> Vec<Triple> {
            let triples = triples.iter().enumerate();
            let renamed = triples.map(|(film, triple)| Triple {
                item: id(film).to_string(),
                ..triple.clone()
            });
            renamed.collect()
        };
        let check = |triples: &[Triple]| {
            let joined = AttributeGraph::from_triples(triples, &catalogue, JoinBy::Id);
            joined.unwrap().report.id_space
        };
        let raw = with_ids(&|film| foreign[film]);
        assert!(check(&raw).looks_wrong(), "{:?}", check(&raw));

        // Mended through the title that both editions have in common.
        let titles = raw.iter().zip(catalogue.items()).map(|(triple, item)| {
            let attribute = triple.attribute.clone();
            Triple {
                item: item.title.clone(),
                id: None,
                attribute,
            }
        });
        let titles: Vec<Triple> = titles.collect();
        let by_title = AttributeGraph::from_triples(&titles, &catalogue, JoinBy::Title).unwrap();
        assert!(!by_title.report.id_space.looks_wrong());

        // Or through a table from the foreign ids to the catalogue's; a tenth of it is wrong, and yet it is a join.
        let table: FxHashMap<usize, usize> = (0..180)
            .map(|film| {
                (
                    foreign[film],
                    if film % 10 == 0 {
                        (film + 90) % 180
                    } else {
                        film
                    },
                )
            })
            .collect();
        let mended = with_ids(&|film| table[&foreign[film]]);
        assert!(!check(&mended).looks_wrong(), "{:?}", check(&mended));
    }

    #[test]
    fn too_few_pairs_tell_nothing() {
        let (catalogue, triples) = series();
        let graph = AttributeGraph::from_triples(&triples[..9], &catalogue, JoinBy::Id)
            .unwrap()
            .graph;
        let check = graph.check_id_space(&catalogue);
        assert_eq!((check.title_words, check.looks_wrong()), (None, false));
    }
}
