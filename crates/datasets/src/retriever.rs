//! Items by their words: BM25 over titles and attributes.

use bm25::{Embedder, EmbedderBuilder, Scorer, Tokenizer};
use rerec_rewards::{Catalogue, Item, ItemIndex};
use rerec_text::fold;

/// Finds the items whose titles, aliases and attributes share the most telling words with a text (Okapi BM25, k1 1.2, b 0.75).
///
/// Case and accents do not matter.
///
/// ```
/// use rerec_datasets::Retriever;
/// use rerec_rewards::{Catalogue, Item};
///
/// let titles = ["Amélie (2001)", "Heat (1995)", "The Heat of the Night"];
/// let items = titles.iter().zip(0..).map(|(title, id)| Item::new(id.to_string(), *title));
/// let catalogue = Catalogue::new(items.collect())?;
/// let retriever = Retriever::new(&catalogue);
/// let found = retriever.search("something like amelie", 5);
/// assert_eq!(found.len(), 1);
/// assert_eq!(catalogue.get(found[0].0).title, "Amélie (2001)");
/// // The shorter title says more by its word.
/// let found: Vec<usize> = retriever.search("heat", 5).iter().map(|(item, _)| item.position()).collect();
/// assert_eq!(found, [1, 2]);
/// # Ok::<(), rerec_rewards::Error>(())
/// ```
pub struct Retriever {
    embedder: Embedder<u32, Words>,
    scorer: Scorer<u32>,
    items: Vec<ItemIndex>,
}

impl std::fmt::Debug for Retriever {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let items = self.items.len();
        f.debug_struct("Retriever")
            .field("items", &items)
            .finish_non_exhaustive()
    }
}

impl Retriever {
    /// Indexes the items of a catalogue.
    pub fn new(catalogue: &Catalogue) -> Self {
        let texts: Vec<String> = catalogue.items().iter().map(text).collect();
        let corpus: Vec<&str> = texts.iter().map(String::as_str).collect();
        let builder = EmbedderBuilder::with_tokenizer_and_fit_to_corpus(Words, &corpus);
        let embedder: Embedder<u32, Words> = builder.build();
        let mut scorer = Scorer::new();
        for (number, text) in (0..).zip(&corpus) {
            scorer.upsert(&number, embedder.embed(text));
        }
        let items = catalogue.iter().map(|(index, _)| index).collect();
        Self {
            embedder,
            scorer,
            items,
        }
    }

    /// At most `limit` items with their scores, best first; items of equal score in the order of the catalogue. Items that share no word with
    /// the text are left out.
    pub fn search(&self, text: &str, limit: usize) -> Vec<(ItemIndex, f32)> {
        let mut found = self.scorer.matches(&self.embedder.embed(text));
        // The scorer returns hits in no fixed order; with ties by number the result is the same on
        // every run.
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        let found = found.into_iter().take(limit);
        found
            .map(|one| (self.items[one.id as usize], one.score))
            .collect()
    }
}

fn text(item: &Item) -> String {
    let aliases = item.aliases.iter().map(String::as_str);
    let values = item
        .attributes
        .iter()
        .map(|attribute| attribute.value.as_str());
    let mut words: Vec<&str> = vec![&item.title];
    words.extend(aliases.chain(values));
    words.join(" ")
}

/// Splits a text into words without case and accents.
struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        let folded = fold(text);
        let words = folded.split(|c: char| !c.is_alphanumeric());
        let words = words.filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    }
}
