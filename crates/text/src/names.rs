//! The names by which a text may call an item.

use serde::{Deserialize, Serialize};

use crate::article::is_article;
use crate::spelling::spellings;

/// An item by its name and its aliases.
///
/// The name is the item's identity: rollouts call targets and recommended items by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemNames {
    /// The name, unique among the items of a query.
    pub name: String,
    /// Other spellings.
    #[serde(default)]
    pub aliases: Vec<String>,
}

impl ItemNames {
    /// An item with one name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            aliases: Vec::new(),
        }
    }

    /// An item that is named by its title and other spellings of it: without the year, the article
    /// in front or behind a comma (or lost, where two words are left), a title in brackets, `_` or
    /// nothing for `:`, `&` for "and".
    ///
    /// ```
    /// use rerec_text::ItemNames;
    ///
    /// assert_eq!(ItemNames::from_title("Jumanji (1995)").aliases, ["Jumanji"]);
    /// assert_eq!(
    ///     ItemNames::from_title("Cure, The (Kyua) (1997)").aliases,
    ///     ["Cure, The (Kyua)", "Kyua", "Cure, The", "The Cure"],
    /// );
    /// assert!(ItemNames::from_title("(1995)").aliases.is_empty());
    /// ```
    pub fn from_title(title: impl Into<String>) -> Self {
        let name = title.into();
        let aliases = spellings(&name);
        Self { name, aliases }
    }

    /// The name, then the aliases.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name)
            .chain(&self.aliases)
            .map(String::as_str)
    }
}

/// The number of words that begin with a small letter; an article in front is not counted, so that
/// "the Matrix" may stand for "The Matrix".
///
/// ```
/// use rerec_text::small_words;
///
/// assert_eq!(small_words("The Lord of the Rings"), 2);
/// assert_eq!(small_words("the Matrix"), 0);
/// ```
pub fn small_words(text: &str) -> usize {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’');
    let mut words = words.filter(|word| !word.is_empty()).peekable();
    words.next_if(|word| is_article(word));
    words
        .filter(|word| word.chars().next().is_some_and(char::is_lowercase))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_small_letters() {
        assert_eq!(small_words("The Lord of the Rings"), 2);
        assert_eq!(small_words("the edge"), 1);
        assert_eq!(small_words("the Matrix"), 0);
        assert_eq!(small_words("英雄"), 0);
    }
}
