//! Film talk.

use super::{RelationWording, Sentences, Wording};

/// Relation, named, before the noun, shared, same.
type FilmWords = (&'static str, &'static str, bool, &'static str, &'static str);

const FILM_WORDS: [FilmWords; 6] = [
    (
        "director",
        "directed by {{ values }}",
        false,
        "by the director of {{ anchor }}",
        "by its director",
    ),
    (
        "actor",
        "starring {{ values }}",
        false,
        "with the star of {{ anchor }}",
        "with its star",
    ),
    (
        "genre",
        "{{ values }}",
        true,
        "of the genre of {{ anchor }}",
        "of its genre",
    ),
    (
        "decade",
        "from the {{ values }}",
        false,
        "from the decade of {{ anchor }}",
        "from its decade",
    ),
    (
        "language",
        "in {{ values }}",
        false,
        "in the language of {{ anchor }}",
        "in its language",
    ),
    (
        "country",
        "from {{ values }}",
        false,
        "from the country of {{ anchor }}",
        "from its country",
    ),
];

impl Wording {
    /// Film talk about those of director, actor, genre, decade, language and country that are asked about.
    pub(crate) fn films(asked: &[&str], mistakable: &[&str]) -> Self {
        let words = |&(relation, named, before_noun, shared, same): &FilmWords| RelationWording {
            named: Some(named.to_owned()),
            before_noun,
            shared: Some(shared.to_owned()),
            same: Some(same.to_owned()),
            mistakable: mistakable.contains(&relation),
            ..RelationWording::plain(relation)
        };
        let asked = FILM_WORDS
            .iter()
            .filter(|(relation, ..)| asked.contains(relation));
        let mut sentences = Sentences::default();
        sentences.implicit[2] = "I saw \"{{ anchor }}\". Recommend {{ same }}.".to_owned();
        Self {
            noun: "film".to_owned(),
            relations: asked.map(words).collect(),
            sentences,
            ..Self::default()
        }
    }
}
