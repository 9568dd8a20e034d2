//! What phrases and sentences must say and may use, checked before any query is composed.

use std::cmp::Reverse;

use minijinja::{Value, context};

use super::{NAMED, Phrasebook, SAME, SHARED, SHARED_SEVERAL, sentence_setting, setting};
use crate::error::{Error, Result};
use crate::wording::RelationWording;

const PROBE: &str = "⟨probe⟩";

impl Phrasebook<'_> {
    pub(super) fn add_phrases(&mut self, words: &RelationWording) -> Result<()> {
        let relation = &words.relation;
        let given = |phrase: &Option<String>, default: String| phrase.clone().unwrap_or(default);
        let phrases = [
            (
                NAMED,
                Some(given(
                    &words.named,
                    format!("with {relation} {{{{ values }}}}"),
                )),
                Some("values"),
            ),
            (
                SHARED,
                Some(given(
                    &words.shared,
                    format!("with the {relation} of {{{{ anchor }}}}"),
                )),
                Some("anchor"),
            ),
            (SHARED_SEVERAL, words.shared_several.clone(), Some("anchor")),
            (
                SAME,
                Some(given(&words.same, format!("with its {relation}"))),
                None,
            ),
        ];
        for (phrase, text, placeholder) in phrases {
            // `shared_several` alone has no default: without it only sole values are hidden.
            let Some(text) = text else { continue };
            let setting = setting(words, phrase);
            self.templates
                .add(&setting, &text, placeholder.as_slice())?;
            if let Some(placeholder) = placeholder {
                let probe = context! { values => PROBE, anchor => PROBE };
                self.templates
                    .require(&setting, &probe, &[(PROBE, placeholder)])?;
            }
        }
        Ok(())
    }

    pub(super) fn add_sentences(&mut self) -> Result<()> {
        let sentences = &self.wording.sentences;
        let classes: [(&Sayings, &[String]); 5] = [
            (&EXPLICIT, &sentences.explicit),
            (&IMPLICIT, &sentences.implicit),
            (&MISINFORMED, &sentences.misinformed),
            (&INTEREST, &sentences.interest),
            (&DEMOGRAPHICS, &sentences.demographics),
        ];
        for (sayings, phrasings) in classes {
            let class = sayings.class;
            if phrasings.is_empty() {
                return Err(Error::Template {
                    setting: format!("wording.sentences.{class}"),
                    cause: "it must hold at least one phrasing".to_owned(),
                });
            }
            let known = [sayings.known, &["noun", "a_noun"]].concat();
            for (place, phrasing) in phrasings.iter().enumerate() {
                let setting = sentence_setting(class, place);
                self.templates.add(&setting, phrasing, &known)?;
                self.require_one_way(&setting, &known, sayings.ways)?;
            }
        }
        Ok(())
    }

    /// A sentence must say all of at least one way; the fault of the way that it comes closest to is told.
    fn require_one_way(&self, setting: &str, known: &[&str], ways: &[&[&str]]) -> Result<()> {
        let probe = |name: &str| format!("⟨{name}⟩");
        let probes: Value = known.iter().map(|&name| (name, probe(name))).collect();
        let text = self.templates.render(setting, &probes)?;
        let missing = |way: &&[&str]| {
            way.iter()
                .filter(|name| !text.contains(&probe(name)))
                .count()
        };
        let closest = ways
            .iter()
            // Of two ways that lack equally many the longer: more of it is there already.
            .min_by_key(|way| (missing(way), Reverse(way.len())));
        let shown: Vec<(String, &str)> = closest
            .into_iter()
            .flat_map(|way| way.iter().map(|&name| (probe(name), name)))
            .collect();
        let shown: Vec<(&str, &str)> = shown.iter().map(|(p, n)| (p.as_str(), *n)).collect();
        self.templates.require(setting, &probes, &shown)
    }
}

/// What the sentences of a class know besides the noun, and the ways of saying what they must say.
pub(super) struct Sayings {
    pub(super) class: &'static str,
    known: &'static [&'static str],
    ways: &'static [&'static [&'static str]],
}

pub(super) const EXPLICIT: Sayings = Sayings {
    class: "explicit",
    known: &["wish"],
    ways: &[&["wish"]],
};
pub(super) const IMPLICIT: Sayings = Sayings {
    class: "implicit",
    known: &["wish", "same", "anchor"],
    ways: &[&["wish"], &["anchor", "same"]],
};
pub(super) const MISINFORMED: Sayings = Sayings {
    class: "misinformed",
    known: &["anchor", "claim", "same"],
    ways: &[&["anchor", "claim", "same"]],
};
pub(super) const INTEREST: Sayings = Sayings {
    class: "interest",
    known: &[],
    ways: &[&[]],
};
pub(super) const DEMOGRAPHICS: Sayings = Sayings {
    class: "demographics",
    known: &["group"],
    ways: &[&["group"]],
};

/// A relation that is asked about must be one that items have: else it is misspelt, and no query would ever ask for it.
pub(super) fn require_relation(words: &RelationWording, found: &[&str]) -> Result<()> {
    match found.contains(&words.relation.as_str()) {
        true => Ok(()),
        false => Err(Error::UnknownRelation {
            relation: words.relation.clone(),
            found: found.iter().map(|&relation| relation.to_owned()).collect(),
        }),
    }
}
