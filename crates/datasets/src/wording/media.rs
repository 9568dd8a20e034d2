//! Film and book talk.

use super::{RelationWording, Sentences, Wording};

/// Relation, named, before the noun, shared, same.
type Words = (&'static str, &'static str, bool, &'static str, &'static str);

const FILM_WORDS: [Words; 6] = [
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

const BOOK_WORDS: [Words; 4] = [
    (
        "author",
        "written by {{ values }}",
        false,
        "by the author of {{ anchor }}",
        "by its author",
    ),
    (
        "illustrator",
        "illustrated by {{ values }}",
        false,
        "by the illustrator of {{ anchor }}",
        "by its illustrator",
    ),
    (
        "subject",
        "{{ values }}",
        true,
        "on the subject of {{ anchor }}",
        "on its subject",
    ),
    (
        "language",
        "in {{ values }}",
        false,
        "in the language of {{ anchor }}",
        "in its language",
    ),
];

impl Wording {
    /// Film talk about those of director, actor, genre, decade, language and country that are asked about.
    pub(crate) fn films(asked: &[&str], mistakable: &[&str]) -> Self {
        let mut sentences = Sentences::default();
        sentences.implicit[2] = "I saw \"{{ anchor }}\". Recommend {{ same }}.".to_owned();
        Self {
            noun: "film".to_owned(),
            relations: relations(&FILM_WORDS, asked, mistakable),
            sentences,
            ..Self::default()
        }
    }

    /// Book talk about those of author, illustrator, subject and language that are asked about.
    pub(crate) fn books(asked: &[&str], mistakable: &[&str]) -> Self {
        let mut sentences = Sentences::default();
        sentences.implicit[2] = "I read \"{{ anchor }}\". Recommend {{ same }}.".to_owned();
        Self {
            noun: "book".to_owned(),
            relations: relations(&BOOK_WORDS, asked, mistakable),
            sentences,
            ..Self::default()
        }
    }
}

fn relations(words: &[Words], asked: &[&str], mistakable: &[&str]) -> Vec<RelationWording> {
    let asked = words
        .iter()
        .filter(|(relation, ..)| asked.contains(relation));
    asked
        .map(
            |&(relation, named, before_noun, shared, same)| RelationWording {
                named: Some(named.to_owned()),
                before_noun,
                shared: Some(shared.to_owned()),
                same: Some(same.to_owned()),
                mistakable: mistakable.contains(&relation),
                ..RelationWording::plain(relation)
            },
        )
        .collect()
}
