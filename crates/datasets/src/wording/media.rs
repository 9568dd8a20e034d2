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
        Self::talk("film", "saw", &FILM_WORDS, asked, mistakable)
    }

    /// Book talk about those of author, illustrator, subject and language that are asked about.
    pub(crate) fn books(asked: &[&str], mistakable: &[&str]) -> Self {
        Self::talk("book", "read", &BOOK_WORDS, asked, mistakable)
    }

    /// `met`: what one did with the anchor.
    fn talk(noun: &str, met: &str, words: &[Words], asked: &[&str], mistakable: &[&str]) -> Self {
        let relation = |&(relation, named, before_noun, shared, same): &Words| RelationWording {
            named: Some(named.to_owned()),
            before_noun,
            shared: Some(shared.to_owned()),
            same: Some(same.to_owned()),
            mistakable: mistakable.contains(&relation),
            ..RelationWording::plain(relation)
        };
        let asked = words
            .iter()
            .filter(|(relation, ..)| asked.contains(relation));
        let mut sentences = Sentences::default();
        sentences.implicit[2] = format!("I {met} \"{{{{ anchor }}}}\". Recommend {{{{ same }}}}.");
        Self {
            noun: noun.to_owned(),
            relations: asked.map(relation).collect(),
            sentences,
            ..Self::default()
        }
    }
}
