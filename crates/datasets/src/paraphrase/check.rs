//! What a sentence in other words must hold, and must not.

use rerec_rewards::{Attribute, ItemId};

use crate::builder::QueryBuilder;
use crate::intent::{ComposedQuery, Evidence};

/// The least length that a reply may always have, in bytes; beyond it, so many times the sentence's.
const SHORT: usize = 200;
const TIMES: usize = 4;

/// A sentence to be put in other words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) sentence: String,
    kept: Vec<String>,
    hidden: Vec<String>,
}

impl Request {
    /// Of what must be kept, what the sentence says; of what must be hidden, what it does not say.
    fn new(sentence: &str, named: Vec<String>, secret: Vec<String>) -> Self {
        let said = |text: &String| holds(sentence, text);
        Self {
            sentence: sentence.to_owned(),
            kept: named.into_iter().filter(said).collect(),
            hidden: secret.into_iter().filter(|text| !said(text)).collect(),
        }
    }

    /// A reply without the quotes around it and with single blanks, if it says what the sentence says.
    pub(super) fn accept(&self, reply: &str) -> Option<String> {
        let words: Vec<&str> = reply.split_whitespace().collect();
        let phrase = words.join(" ");
        let inside = phrase
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let phrase = match inside {
            // Quotes within are those of titles, at both ends.
            Some(inside) if !inside.contains('"') => inside.to_owned(),
            _ => phrase,
        };
        let is_sound = !phrase.is_empty()
            && phrase.len() <= SHORT.max(TIMES * self.sentence.len())
            && self.kept.iter().all(|text| holds(&phrase, text))
            && !self.hidden.iter().any(|text| holds(&phrase, text));
        is_sound.then_some(phrase)
    }
}

/// Whether a text holds another, whatever the case: a value may begin a sentence.
fn holds(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

impl QueryBuilder<'_> {
    /// What is to be said in other words of a query.
    pub(super) fn request(&self, composed: &ComposedQuery) -> Request {
        let title = |id: &ItemId| {
            let item = self.catalogue().index_of(id);
            item.map(|item| self.catalogue().get(item).title.clone())
        };
        let value = |attribute: &Attribute| attribute.value.clone();
        let mut named: Vec<String> = composed.query.conditions.iter().map(value).collect();
        let mut secret: Vec<String> = composed.query.targets.iter().filter_map(title).collect();
        match &composed.evidence {
            Evidence::Named | Evidence::Liked => {}
            Evidence::Shared {
                anchor, condition, ..
            } => {
                named.extend(title(anchor));
                secret.push(value(condition));
            }
            Evidence::Belief {
                anchor,
                condition,
                believed,
            } => {
                named.extend(title(anchor));
                named.push(value(believed));
                secret.push(value(condition));
            }
            // What the group likes is what is asked for.
            Evidence::Group(group) => {
                secret.append(&mut named);
                named.push(group.clone());
            }
        }
        Request::new(&composed.sentence, named, secret)
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn a_reply_keeps_what_is_named_and_tells_nothing_that_is_hidden() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let request = Request::new(
            "Recommend a western film by the director of \"Heat\".",
            texts(&["western", "Mann", "Heat"]),
            texts(&["Mann", "Thief"]),
        );
        let accepted = |reply: &str| request.accept(reply);
        let sound = "Westerns by whoever directed \"Heat\", please!";
        assert_eq!(accepted(&format!("\n{sound}\n")).as_deref(), Some(sound));
        let quoted = "\"A western like Heat, same director.\"";
        assert_eq!(
            accepted(quoted).as_deref(),
            Some("A western like Heat, same director.")
        );
        for refused in [
            "",
            "Westerns by the same director, please!",
            "A western by Michael Mann, as \"Heat\".",
            "Is Thief a western like Heat?",
            &format!("Heat western {}", "very ".repeat(60)),
        ] {
            assert_eq!(accepted(refused), None, "{refused}");
        }
    }
}
