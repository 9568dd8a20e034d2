//! Compiled wording: from conditions to a sentence.

mod check;

use minijinja::{Value, context};
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rerec_rewards::{Attribute, Catalogue};

use super::{RelationWording, Wording, relations_of};
use crate::error::Result;
use crate::intent::Evidence;
use crate::template::Templates;
use check::{DEMOGRAPHICS, EXPLICIT, IMPLICIT, INTEREST, MISINFORMED, require_relation};

/// The phrases of one relation, as settings name them.
const NAMED: &str = "named";
const SHARED: &str = "shared";
const SHARED_SEVERAL: &str = "shared_several";
const SAME: &str = "same";

/// A wording whose templates are compiled and checked against a catalogue.
#[derive(Debug)]
pub(crate) struct Phrasebook<'w> {
    wording: &'w Wording,
    templates: Templates,
}

impl<'w> Phrasebook<'w> {
    /// # Errors
    /// A template that leaves out what it is for, or asks for what is not known; a relation that no item has; a class without phrasings.
    pub(crate) fn new(wording: &'w Wording, catalogue: &Catalogue) -> Result<Self> {
        let mut book = Self {
            wording,
            templates: Templates::new(),
        };
        let found = relations_of(catalogue);
        for words in &wording.relations {
            require_relation(words, &found)?;
            book.add_phrases(words)?;
        }
        book.add_sentences()?;
        if let Some(paraphrase) = &wording.paraphrase {
            paraphrase.validate()?;
        }
        Ok(book)
    }

    pub(crate) fn relations(&self) -> impl Iterator<Item = &'w str> {
        self.wording.relations()
    }

    pub(crate) fn is_mistakable(&self, relation: &str) -> bool {
        self.wording
            .of(relation)
            .is_some_and(|words| words.mistakable)
    }

    /// Whether one of several values of an item can be told by that item.
    pub(crate) fn tells_several(&self, relation: &str) -> bool {
        let words = self.wording.of(relation);
        words.is_some_and(|words| words.shared_several.is_some())
    }

    /// The sentence that asks for what `conditions` and `evidence` say, in one of the phrasings of its class. `anchor` is the title of
    /// the evidence's anchor.
    pub(crate) fn sentence(
        &self,
        conditions: &[Attribute],
        evidence: &Evidence,
        anchor: &str,
        rng: &mut ChaCha8Rng,
    ) -> Result<String> {
        let known = self.known(conditions, evidence, anchor)?;
        let (class, phrasings) = self.phrasings(evidence);
        let places: Vec<usize> = (0..phrasings.len()).collect();
        let place = places.choose(rng).copied().unwrap_or_default();
        self.templates
            .render(&sentence_setting(class, place), &known)
    }

    /// What the sentences of the evidence's class know.
    fn known(&self, conditions: &[Attribute], evidence: &Evidence, anchor: &str) -> Result<Value> {
        let noun = self.wording.noun.as_str();
        let a_noun = self.noun_phrase(&[], &[]);
        Ok(match evidence {
            Evidence::Named => {
                let wish = self.wish(conditions, None)?;
                context! { noun, a_noun, wish }
            }
            Evidence::Shared {
                condition, several, ..
            } => {
                let phrase = if *several { SHARED_SEVERAL } else { SHARED };
                let told =
                    self.phrase(condition, phrase, &context! { anchor => quoted(anchor) })?;
                let wish = self.wish(conditions, Some((condition, told)))?;
                let told = match several {
                    // "its ingredient" would be any of them.
                    true => self.phrase(condition, SHARED_SEVERAL, &context! { anchor => "it" })?,
                    false => self.phrase(condition, SAME, &context! {})?,
                };
                let same = self.wish(conditions, Some((condition, told)))?;
                context! { noun, a_noun, wish, same, anchor }
            }
            Evidence::Belief {
                condition,
                believed,
                ..
            } => {
                let told = self.phrase(condition, SAME, &context! {})?;
                let same = self.wish(conditions, Some((condition, told)))?;
                let claim = self.claim(believed)?;
                context! { noun, a_noun, same, claim, anchor }
            }
            Evidence::Liked => context! { noun, a_noun },
            Evidence::Group(group) => context! { noun, a_noun, group },
        })
    }

    fn phrasings(&self, evidence: &Evidence) -> (&'static str, &'w [String]) {
        let sentences = &self.wording.sentences;
        match evidence {
            Evidence::Named => (EXPLICIT.class, &sentences.explicit),
            Evidence::Shared { .. } => (IMPLICIT.class, &sentences.implicit),
            Evidence::Belief { .. } => (MISINFORMED.class, &sentences.misinformed),
            Evidence::Liked => (INTEREST.class, &sentences.interest),
            Evidence::Group(_) => (DEMOGRAPHICS.class, &sentences.demographics),
        }
    }

    /// "a western film directed by Ada Lorne, starring Max Ilyn"; a hidden condition is told as given. Values of one relation share a
    /// phrase: "with lentils and spinach".
    fn wish(
        &self,
        conditions: &[Attribute],
        hidden: Option<(&Attribute, String)>,
    ) -> Result<String> {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let is_hidden = |condition: &Attribute| matches!(&hidden, Some((h, _)) if *h == condition);
        for words in &self.wording.relations {
            let under = conditions
                .iter()
                .filter(|condition| condition.relation == words.relation);
            let named = under.clone().filter(|condition| !is_hidden(condition));
            let values: Vec<&str> = named.map(|condition| condition.value.as_str()).collect();
            let place = match words.before_noun {
                true => &mut before,
                false => &mut after,
            };
            if !values.is_empty() {
                place.push(self.named(words, &values)?);
            }
            if let Some((_, told)) = hidden.as_ref().filter(|_| under.clone().any(is_hidden)) {
                after.push(told.clone());
            }
        }
        Ok(self.noun_phrase(&before, &after))
    }

    /// What the user says of the anchor: "directed by Max Ilyn", "a western film".
    fn claim(&self, believed: &Attribute) -> Result<String> {
        let Some(words) = self.wording.of(&believed.relation) else {
            return Ok(believed.value.clone());
        };
        let named = self.named(words, &[&believed.value])?;
        // "western" by itself is no apposition; "a western film" is.
        Ok(match words.before_noun {
            true => self.noun_phrase(&[named], &[]),
            false => named,
        })
    }

    fn named(&self, words: &RelationWording, values: &[&str]) -> Result<String> {
        let values = joined(values, &self.wording.and);
        self.templates
            .render(&setting(words, NAMED), &context! { values })
    }

    fn phrase(&self, condition: &Attribute, phrase: &str, known: &Value) -> Result<String> {
        match self.wording.of(&condition.relation) {
            Some(words) => self.templates.render(&setting(words, phrase), known),
            None => Ok(condition.value.clone()),
        }
    }

    fn noun_phrase(&self, before: &[String], after: &[String]) -> String {
        let [consonant, vowel] = &self.wording.articles;
        let noun = before.iter().chain([&self.wording.noun]);
        let noun: Vec<&str> = noun.map(String::as_str).collect();
        let noun = noun.join(" ");
        let begins_with_vowel = noun.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']);
        let article = if begins_with_vowel { vowel } else { consonant };
        let mut phrase = article.clone();
        if !phrase.is_empty() {
            phrase.push(' ');
        }
        phrase.push_str(&noun);
        if !after.is_empty() {
            phrase.push(' ');
            phrase.push_str(&after.join(&self.wording.between));
        }
        phrase
    }
}

fn setting(words: &RelationWording, phrase: &str) -> String {
    format!("wording.relations.{}.{phrase}", words.relation)
}

fn sentence_setting(class: &str, place: usize) -> String {
    format!("wording.sentences.{class}[{place}]")
}

fn quoted(title: &str) -> String {
    format!("\"{title}\"")
}

/// "lentils", "lentils and spinach", "lentils, rice and spinach"
fn joined(values: &[&str], and: &str) -> String {
    match values {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rerec_rewards::Item;

    use super::*;
    use crate::random::stream;

    fn attribute(relation: &str, value: &str) -> Attribute {
        Attribute {
            relation: relation.to_owned(),
            value: value.to_owned(),
        }
    }

    /// One item that has all the relations.
    fn catalogue(relations: &[&str]) -> Catalogue {
        let mut item = Item::new("1", "One");
        item.attributes = relations.iter().map(|r| attribute(r, "x")).collect();
        Catalogue::new(vec![item]).unwrap()
    }

    const FILMS: [&str; 4] = ["director", "actor", "genre", "decade"];

    /// Every phrasing of a western by Ada Lorne.
    fn phrasings(evidence: &Evidence) -> BTreeSet<String> {
        let wording = Wording::films(&FILMS, &["director"]);
        let book = Phrasebook::new(&wording, &catalogue(&FILMS)).unwrap();
        let conditions = [
            attribute("director", "Ada Lorne"),
            attribute("genre", "western"),
        ];
        let mut rng = stream(0, "phrasings", "");
        (0..50)
            .map(|_| {
                let anchor = "Velmora Nights (1987)";
                book.sentence(&conditions, evidence, anchor, &mut rng)
                    .unwrap()
            })
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
        let evidence = Evidence::Shared {
            anchor: "f1".into(),
            condition: attribute("director", "Ada Lorne"),
            several: false,
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
        let evidence = Evidence::Belief {
            anchor: "f1".into(),
            condition: attribute("director", "Ada Lorne"),
            believed: attribute("director", "Max Ilyn"),
        };
        let expected = [
            "After \"Velmora Nights (1987)\", directed by Max Ilyn, I am looking for a western film by its director.",
            "I loved \"Velmora Nights (1987)\", directed by Max Ilyn. Recommend a western film by its director.",
        ];
        assert!(phrasings(&evidence).iter().eq(&expected));
    }

    #[test]
    fn articles_and_lists_read_as_english() {
        let wording = Wording::films(&FILMS, &[]);
        let book = Phrasebook::new(&wording, &catalogue(&FILMS)).unwrap();
        let wish = |conditions: &[Attribute]| book.wish(conditions, None).unwrap();
        let genres = [attribute("genre", "Action"), attribute("genre", "Comedy")];
        assert_eq!(wish(&genres), "an Action and Comedy film");
        let after = [attribute("actor", "Max Ilyn"), attribute("decade", "1980s")];
        assert_eq!(wish(&after), "a film starring Max Ilyn, from the 1980s");
        let stars = ["Max Ilyn", "Ada Orr", "Bo Bex"].map(|name| attribute("actor", name));
        assert_eq!(wish(&stars), "a film starring Max Ilyn, Ada Orr and Bo Bex");
    }

    /// The words of another domain and another language.
    #[test]
    fn any_domain_has_its_own_words() {
        let recipes = Wording {
            between: " ".to_owned(),
            relations: vec![
                RelationWording {
                    named: Some("with {{ values }}".to_owned()),
                    shared_several: Some("with an ingredient of {{ anchor }}".to_owned()),
                    ..RelationWording::plain("ingredient")
                },
                RelationWording {
                    named: Some("that takes {{ values }}".to_owned()),
                    ..RelationWording::plain("time range")
                },
            ],
            ..Wording::plain("recipe", [])
        };
        let catalogue = catalogue(&["ingredient", "time range"]);
        let book = Phrasebook::new(&recipes, &catalogue).unwrap();
        let conditions = [
            attribute("ingredient", "lentils"),
            attribute("ingredient", "spinach"),
            attribute("time range", "under 30 minutes"),
        ];
        assert_eq!(
            book.wish(&conditions, None).unwrap(),
            "a recipe with lentils and spinach that takes under 30 minutes"
        );
        let evidence = Evidence::Shared {
            anchor: "1".into(),
            condition: conditions[0].clone(),
            several: true,
        };
        let mut rng = stream(0, "recipes", "");
        let said: BTreeSet<String> = (0..50)
            .map(|_| {
                book.sentence(&conditions[..1], &evidence, "Dal", &mut rng)
                    .unwrap()
            })
            .collect();
        let expected = [
            "I am looking for a recipe with an ingredient of \"Dal\".",
            "I know \"Dal\". Recommend a recipe with an ingredient of it.",
            "Recommend a recipe with an ingredient of \"Dal\".",
        ];
        assert!(said.iter().eq(&expected), "{said:?}");

        let german = Wording {
            noun: "Rezept".to_owned(),
            articles: ["ein".to_owned(), "ein".to_owned()],
            and: "und".to_owned(),
            relations: vec![RelationWording {
                named: Some("mit {{ values }}".to_owned()),
                ..RelationWording::plain("ingredient")
            }],
            ..Wording::default()
        };
        let book = Phrasebook::new(&german, &catalogue).unwrap();
        assert_eq!(
            book.wish(&conditions[..2], None).unwrap(),
            "ein Rezept mit lentils und spinach"
        );
    }

    #[test]
    fn templates_are_checked_before_any_query_is_composed() {
        let refused = |change: &dyn Fn(&mut Wording)| {
            let mut wording = Wording::plain("recipe", ["ingredient"]);
            change(&mut wording);
            let book = Phrasebook::new(&wording, &catalogue(&["ingredient", "time"]));
            book.map(drop).unwrap_err().to_string()
        };
        let named = |text: &'static str| {
            refused(&move |wording| wording.relations[0].named = Some(text.to_owned()))
        };
        assert_eq!(
            named("with {ingredient}"),
            "wording.relations.ingredient.named: {ingredient} is no placeholder; write {{ ingredient }}"
        );
        assert_eq!(
            named("with {{ value }}"),
            "wording.relations.ingredient.named: {{ value }} is not known here; known are {{ values }}"
        );
        assert_eq!(
            named("with saffron"),
            "wording.relations.ingredient.named: it leaves out {{ values }}"
        );
        assert_eq!(
            refused(&|wording| wording.relations[0].shared = Some("like another".to_owned())),
            "wording.relations.ingredient.shared: it leaves out {{ anchor }}"
        );
        assert_eq!(
            refused(&|wording| wording.relations[0].relation = "ingredeint".to_owned()),
            "no item has the relation \"ingredeint\"; the relations of the catalogue are ingredient, time"
        );
        assert_eq!(
            refused(&|wording| wording.sentences.implicit = vec!["I want {{ same }}.".to_owned()]),
            "wording.sentences.implicit[0]: it leaves out {{ anchor }}"
        );
        assert_eq!(
            refused(&|wording| wording.sentences.misinformed[1] = "{{ anchor }}: {{ same }}".into()),
            "wording.sentences.misinformed[1]: it leaves out {{ claim }}"
        );
        assert_eq!(
            refused(&|wording| wording.sentences.interest.clear()),
            "wording.sentences.interest: it must hold at least one phrasing"
        );
        assert!(named("with {{ values").contains("named: syntax error"));
    }
}
