//! How queries speak of items: the words around relations, and the layout of a prompt.

use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rerec_rewards::Attribute;
use serde::{Deserialize, Serialize};

use crate::intent::Evidence;

/// The words for a catalogue: what its items are called and how each relation is spoken of.
///
/// A relation that is not listed is never asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wording {
    /// What an item is called, for instance `film`.
    pub noun: String,
    /// The relations that can be asked about, in the order in which they are named.
    pub relations: Vec<RelationWording>,
}

/// How one relation is spoken of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationWording {
    /// The relation as the catalogue calls it.
    pub relation: String,
    /// A named value; `{value}` stands for it: `directed by {value}`.
    pub named: String,
    /// Whether `named` stands before the noun ("a western film") or after it.
    pub before_noun: bool,
    /// The value of another item; `{anchor}` stands for its title: `by the director of {anchor}`.
    pub shared: String,
    /// The value of an item just mentioned: `by its director`.
    pub same: String,
    /// Whether users may be wrong about it: only then are there misinformed queries on it.
    pub mistakable: bool,
}

/// Relation, named, before the noun, shared, same.
type FilmWords = (&'static str, &'static str, bool, &'static str, &'static str);

const FILM_WORDS: [FilmWords; 4] = [
    (
        "director",
        "directed by {value}",
        false,
        "by the director of {anchor}",
        "by its director",
    ),
    (
        "actor",
        "starring {value}",
        false,
        "with the star of {anchor}",
        "with its star",
    ),
    (
        "genre",
        "{value}",
        true,
        "of the genre of {anchor}",
        "of its genre",
    ),
    (
        "decade",
        "from the {value}",
        false,
        "from the decade of {anchor}",
        "from its decade",
    ),
];

impl Wording {
    /// Plain words that fit any catalogue: "a film with director Ada Lorne".
    ///
    /// ```
    /// let wording = rerec_datasets::Wording::plain("film", ["director", "genre"]);
    /// assert_eq!(wording.relations[0].shared, "with the director of {anchor}");
    /// ```
    pub fn plain<'a>(noun: &str, relations: impl IntoIterator<Item = &'a str>) -> Self {
        let relations = relations.into_iter().map(|relation| RelationWording {
            relation: relation.to_owned(),
            named: format!("with {relation} {{value}}"),
            before_noun: false,
            shared: format!("with the {relation} of {{anchor}}"),
            same: format!("with its {relation}"),
            mistakable: true,
        });
        Self {
            noun: noun.to_owned(),
            relations: relations.collect(),
        }
    }

    /// Film talk about those of director, actor, genre and decade that are asked about.
    pub(crate) fn films(asked: &[&str], mistakable: &[&str]) -> Self {
        let words = |&(relation, named, before_noun, shared, same): &FilmWords| RelationWording {
            relation: relation.to_owned(),
            named: named.to_owned(),
            before_noun,
            shared: shared.to_owned(),
            same: same.to_owned(),
            mistakable: mistakable.contains(&relation),
        };
        let asked = FILM_WORDS
            .iter()
            .filter(|(relation, ..)| asked.contains(relation));
        Self {
            noun: "film".to_owned(),
            relations: asked.map(words).collect(),
        }
    }

    /// The relations that can be asked about.
    pub(crate) fn relations(&self) -> impl Iterator<Item = &str> {
        self.relations.iter().map(|words| words.relation.as_str())
    }

    pub(crate) fn is_mistakable(&self, relation: &str) -> bool {
        self.of(relation).is_some_and(|words| words.mistakable)
    }

    fn of(&self, relation: &str) -> Option<&RelationWording> {
        self.relations
            .iter()
            .find(|words| words.relation == relation)
    }

    /// The sentence that asks for what `conditions` and `evidence` say, in one of a few phrasings.
    /// `anchor` is the title of the evidence's anchor.
    pub(crate) fn sentence(
        &self,
        conditions: &[Attribute],
        evidence: &Evidence,
        anchor: &str,
        rng: &mut ChaCha8Rng,
    ) -> String {
        let noun = &self.noun;
        let phrasings = match evidence {
            Evidence::Named => {
                let wish = self.wish(conditions, None);
                vec![
                    format!("I am looking for {wish}."),
                    format!("Recommend {wish}."),
                    format!("Which of these is {wish}?"),
                ]
            }
            Evidence::Shared { condition, .. } => {
                let wish = self.wish(conditions, Some((condition, Told::By(anchor))));
                let same = self.wish(conditions, Some((condition, Told::Same)));
                vec![
                    format!("I am looking for {wish}."),
                    format!("Recommend {wish}."),
                    format!("I saw \"{anchor}\". Recommend {same}."),
                ]
            }
            Evidence::Belief {
                condition,
                believed,
                ..
            } => {
                let claim = self.claim(believed);
                let same = self.wish(conditions, Some((condition, Told::Same)));
                vec![
                    format!("I loved \"{anchor}\", {claim}. Recommend {same}."),
                    format!("After \"{anchor}\", {claim}, I am looking for {same}."),
                ]
            }
            Evidence::Liked => vec![
                format!("Recommend a {noun} like those I liked."),
                format!("Which {noun} suits my taste?"),
            ],
            Evidence::Group(name) => vec![
                format!("Recommend a {noun} for {name}."),
                format!("Which {noun} would please {name}?"),
            ],
        };
        phrasings.choose(rng).cloned().unwrap_or_default()
    }

    /// "a western film directed by Ada Lorne, starring Max Ilyn"; a hidden condition is told by the anchor.
    fn wish(&self, conditions: &[Attribute], hidden: Option<(&Attribute, Told<'_>)>) -> String {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for condition in conditions {
            let Some(words) = self.of(&condition.relation) else {
                continue;
            };
            match hidden {
                Some((hidden, told)) if hidden == condition => after.push(told.phrase(words)),
                _ if words.before_noun => before.push(words.named(&condition.value)),
                _ => after.push(words.named(&condition.value)),
            }
        }
        self.noun_phrase(&before, &after)
    }

    /// What the user says of the anchor: "directed by Max Ilyn", "a western film".
    fn claim(&self, believed: &Attribute) -> String {
        let Some(words) = self.of(&believed.relation) else {
            return believed.value.clone();
        };
        let named = words.named(&believed.value);
        if words.before_noun {
            self.noun_phrase(&[named], &[])
        } else {
            named
        }
    }

    fn noun_phrase(&self, before: &[String], after: &[String]) -> String {
        let mut phrase = before.join(" and ");
        if !phrase.is_empty() {
            phrase.push(' ');
        }
        phrase.push_str(&self.noun);
        let article = if phrase.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) {
            "an"
        } else {
            "a"
        };
        match after {
            [] => format!("{article} {phrase}"),
            after => format!("{article} {phrase} {}", after.join(", ")),
        }
    }
}

impl RelationWording {
    fn named(&self, value: &str) -> String {
        self.named.replace("{value}", value)
    }
}

/// How a hidden condition is told: with the anchor's title, or by pointing back to it.
#[derive(Clone, Copy)]
enum Told<'a> {
    By(&'a str),
    Same,
}

impl Told<'_> {
    fn phrase(self, words: &RelationWording) -> String {
        match self {
            Self::By(anchor) => words.shared.replace("{anchor}", &format!("\"{anchor}\"")),
            Self::Same => words.same.clone(),
        }
    }
}

/// The whole prompt: the sentence, the liked titles, the options, each on a line of its own.
pub(crate) fn prompt(sentence: &str, history: &[&str], candidates: &[&str]) -> String {
    let mut lines = vec![sentence];
    if !history.is_empty() {
        lines.push("Liked:");
        lines.extend(history);
    }
    let options = options(candidates);
    lines.extend(["Options:", &options, "Answer:\n"]);
    lines.join("\n")
}

/// The candidates, numbered from 1, each on a line of its own.
pub(crate) fn options(titles: &[&str]) -> String {
    let numbered = titles
        .iter()
        .enumerate()
        .map(|(place, title)| option(place, title));
    numbered.collect::<Vec<_>>().join("\n")
}

/// "[3]Kestrin Road (1994)", the candidate at place 2.
///
/// The number tells a small model where to go on reading; no space follows it, so that a title has the same
/// tokens here as at the start of a line and in the box.
pub(crate) fn option(place: usize, title: &str) -> String {
    format!("[{}]{title}", place + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::stream;

    fn attribute(relation: &str, value: &str) -> Attribute {
        Attribute {
            relation: relation.to_owned(),
            value: value.to_owned(),
        }
    }

    /// Every phrasing of a western by Ada Lorne.
    fn phrasings(evidence: &Evidence) -> BTreeSet<String> {
        let wording = Wording::films(&["director", "actor", "genre", "decade"], &["director"]);
        let conditions = [
            attribute("director", "Ada Lorne"),
            attribute("genre", "western"),
        ];
        let mut rng = stream(0, "phrasings", "");
        (0..50)
            .map(|_| wording.sentence(&conditions, evidence, "Velmora Nights (1987)", &mut rng))
            .collect()
    }

    #[test]
    fn named_values_stand_around_the_noun() {
        let expected = [
            "I am looking for a western film directed by Ada Lorne.",
            "Recommend a western film directed by Ada Lorne.",
            "Which of these is a western film directed by Ada Lorne?",
        ];
        assert!(phrasings(&Evidence::Named).iter().eq(&expected));
    }

    #[test]
    fn a_hidden_value_is_told_by_the_anchor() {
        let condition = attribute("director", "Ada Lorne");
        let evidence = Evidence::Shared {
            anchor: "f1".into(),
            condition,
        };
        let expected = [
            "I am looking for a western film by the director of \"Velmora Nights (1987)\".",
            "I saw \"Velmora Nights (1987)\". Recommend a western film by its director.",
            "Recommend a western film by the director of \"Velmora Nights (1987)\".",
        ];
        assert!(phrasings(&evidence).iter().eq(&expected));
    }

    #[test]
    fn a_misinformed_user_claims_the_wrong_value_and_never_names_the_right_one() {
        let condition = attribute("director", "Ada Lorne");
        let believed = attribute("director", "Max Ilyn");
        let evidence = Evidence::Belief {
            anchor: "f1".into(),
            condition,
            believed,
        };
        let expected = [
            "After \"Velmora Nights (1987)\", directed by Max Ilyn, I am looking for a western film by its director.",
            "I loved \"Velmora Nights (1987)\", directed by Max Ilyn. Recommend a western film by its director.",
        ];
        assert!(phrasings(&evidence).iter().eq(&expected));
    }

    #[test]
    fn articles_and_lists_read_as_english() {
        let wording = Wording::films(&["actor", "genre", "decade"], &[]);
        let wish = |conditions: &[Attribute]| wording.wish(conditions, None);
        let genres = [attribute("genre", "Action"), attribute("genre", "Comedy")];
        assert_eq!(wish(&genres), "an Action and Comedy film");
        let after = [attribute("actor", "Max Ilyn"), attribute("decade", "1980s")];
        assert_eq!(wish(&after), "a film starring Max Ilyn, from the 1980s");
    }

    #[test]
    fn a_prompt_has_one_title_a_line() {
        let text = prompt(
            "Recommend a film.",
            &["A (1980)"],
            &["B (1981)", "C (1982)"],
        );
        assert_eq!(
            text,
            "Recommend a film.\nLiked:\nA (1980)\nOptions:\n[1]B (1981)\n[2]C (1982)\nAnswer:\n"
        );
        assert!(!prompt("Recommend a film.", &[], &["B (1981)"]).contains("Liked"));
    }
}
