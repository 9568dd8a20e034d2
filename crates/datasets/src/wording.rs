//! How queries speak of items: the words around relations and the sentences around those, as templates.

mod media;
mod phrasebook;

use std::collections::BTreeSet;

use rerec_rewards::Catalogue;
use serde::{Deserialize, Serialize};

pub(crate) use phrasebook::Phrasebook;

use crate::paraphrase::ParaphraseConfig;

/// The words for a catalogue: what its items are called, how each relation is spoken of, and what users say.
///
/// Phrases and sentences are templates (minijinja, the language of Jinja). They are checked before any query is composed: a placeholder
/// that is not known, a phrase without its value, a sentence without its anchor and a relation that no item has are errors.
///
/// ```
/// use rerec_datasets::Wording;
///
/// let wording: Wording = toml::from_str(r#"
///     noun = "recipe"
///     between = " "
///     relations = [
///         { relation = "cuisine", named = "{{ values }}", before_noun = true },
///         { relation = "ingredient", named = "with {{ values }}", shared_several = "that shares an ingredient with {{ anchor }}" },
///         { relation = "time range", named = "that takes {{ values }}", mistakable = false },
///     ]
/// "#)?;
/// assert_eq!(wording.relations[1].relation, "ingredient");
/// assert_eq!(wording.sentences.explicit[1], "Recommend {{ wish }}.");
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wording {
    /// What an item is called, for instance `film`. Default `item`.
    pub noun: String,
    /// The article before a consonant and before a vowel. Default `["a", "an"]`; two empty texts for languages without.
    pub articles: [String; 2],
    /// What joins the last two of several values. Default `and`.
    pub and: String,
    /// What stands between two phrases behind the noun. Default `, `.
    pub between: String,
    /// The relations that can be asked about, in the order in which they are named. A relation that is not listed is never asked
    /// about. Default: none; a source that reads a catalogue of one's own then takes all that its items have.
    pub relations: Vec<RelationWording>,
    /// What users say.
    pub sentences: Sentences,
    /// Asks a language model to put each sentence in other words (needs the feature `paraphrase`). Default: none, nobody is asked.
    pub paraphrase: Option<ParaphraseConfig>,
}

impl Default for Wording {
    fn default() -> Self {
        Self {
            noun: "item".to_owned(),
            articles: ["a".to_owned(), "an".to_owned()],
            and: "and".to_owned(),
            between: ", ".to_owned(),
            relations: Vec::new(),
            sentences: Sentences::default(),
            paraphrase: None,
        }
    }
}

/// How one relation is spoken of. Phrases that are not given are made from the relation's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationWording {
    /// The relation as the catalogue calls it.
    pub relation: String,
    /// The wanted values, `{{ values }}`: `directed by {{ values }}`. Default `with RELATION {{ values }}`.
    #[serde(default)]
    pub named: Option<String>,
    /// Whether `named` stands before the noun ("a western film"). Default: behind it.
    #[serde(default)]
    pub before_noun: bool,
    /// The only value of another item, `{{ anchor }}`: `by the director of {{ anchor }}`. Default `with the RELATION of {{ anchor }}`.
    #[serde(default)]
    pub shared: Option<String>,
    /// One of several values of another item: `with an actor of {{ anchor }}`. Default: none, only the only value of an item is hidden.
    #[serde(default)]
    pub shared_several: Option<String>,
    /// The value of an item just mentioned: `by its director`. Default `with its RELATION`.
    #[serde(default)]
    pub same: Option<String>,
    /// Whether users may be wrong about it: only then are there misinformed queries on it. Default true.
    #[serde(default = "yes")]
    pub mistakable: bool,
}

fn yes() -> bool {
    true
}

impl RelationWording {
    /// A relation with the phrases made from its name.
    pub fn plain(relation: impl Into<String>) -> Self {
        Self {
            relation: relation.into(),
            mistakable: true,
            ..Self::default()
        }
    }
}

/// What users say, a list of phrasings for each class, one of which is drawn. All know `noun` and `a_noun` (with its article).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sentences {
    /// Knows `wish`: "a western film directed by Ada Lorne".
    pub explicit: Vec<String>,
    /// Knows `wish`, which tells the hidden value by the anchor; and `anchor`, its title, with `same`: the wish told by pointing back to it.
    pub implicit: Vec<String>,
    /// Knows `anchor`, its title; `claim`, what the user wrongly says of it; and `same`.
    pub misinformed: Vec<String>,
    /// What is liked stands in the history.
    pub interest: Vec<String>,
    /// Knows `group`, its name.
    pub demographics: Vec<String>,
}

impl Default for Sentences {
    fn default() -> Self {
        let all = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self {
            explicit: all(&[
                "I am looking for {{ wish }}.",
                "Recommend {{ wish }}.",
                "Which of these is {{ wish }}?",
            ]),
            implicit: all(&[
                "I am looking for {{ wish }}.",
                "Recommend {{ wish }}.",
                "I know \"{{ anchor }}\". Recommend {{ same }}.",
            ]),
            misinformed: all(&[
                "I loved \"{{ anchor }}\", {{ claim }}. Recommend {{ same }}.",
                "After \"{{ anchor }}\", {{ claim }}, I am looking for {{ same }}.",
            ]),
            interest: all(&[
                "Recommend {{ a_noun }} like those I liked.",
                "Which {{ noun }} suits my taste?",
            ]),
            demographics: all(&[
                "Recommend {{ a_noun }} for {{ group }}.",
                "Which {{ noun }} would please {{ group }}?",
            ]),
        }
    }
}

impl Wording {
    /// Plain words that fit any catalogue: "a film with director Ada Lorne".
    ///
    /// ```
    /// let wording = rerec_datasets::Wording::plain("film", ["director", "genre"]);
    /// assert_eq!(wording.relations[0].relation, "director");
    /// assert_eq!(wording.relations[0].named, None); // "with director Ada Lorne"
    /// ```
    pub fn plain<'a>(noun: &str, relations: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            noun: noun.to_owned(),
            relations: relations.into_iter().map(RelationWording::plain).collect(),
            ..Self::default()
        }
    }

    /// These words; where they list no relation, all that the items have, by name, but those of `left_out`.
    pub(crate) fn over(&self, catalogue: &Catalogue, left_out: &[&str]) -> Self {
        let mut wording = self.clone();
        if wording.relations.is_empty() {
            // By name: the order decides how conditions are drawn, and must not follow that of the
            // rows.
            let relations = BTreeSet::from_iter(relations_of(catalogue));
            let asked = relations
                .into_iter()
                .filter(|name| !left_out.contains(name));
            wording.relations = asked.map(RelationWording::plain).collect();
        }
        wording
    }

    /// The relations that can be asked about.
    pub(crate) fn relations(&self) -> impl Iterator<Item = &str> {
        self.relations.iter().map(|words| words.relation.as_str())
    }

    pub(crate) fn of(&self, relation: &str) -> Option<&RelationWording> {
        self.relations
            .iter()
            .find(|words| words.relation == relation)
    }
}

/// The relations that items have, each once, in the order in which they first occur.
pub(crate) fn relations_of(catalogue: &Catalogue) -> Vec<&str> {
    let attributes = catalogue.items().iter().flat_map(|item| &item.attributes);
    let mut relations: Vec<&str> = Vec::new();
    for attribute in attributes {
        if !relations.contains(&attribute.relation.as_str()) {
            relations.push(&attribute.relation);
        }
    }
    relations
}
