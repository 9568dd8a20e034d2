//! The lines of a check: what is wanted, and whether an item has it.

use rerec_rewards::{Attribute, Item};

use crate::answer::Answer;

/// The verdict at the end of a line.
pub(crate) const FITS: &str = " It fits.";

/// The candidates, numbered from 1, each on a line of its own.
pub(crate) fn options(titles: &[&str]) -> String {
    let numbered = titles
        .iter()
        .enumerate()
        .map(|(place, title)| option(place, title));
    numbered.collect::<Vec<_>>().join("\n")
}

/// "[3]Kestrin Road (1994)", the candidate at place 2, as the compact layout of prompts numbers it.
pub(crate) fn option(place: usize, title: &str) -> String {
    format!("[{}]{title}", place + 1)
}

pub(crate) fn wanted_line(wanted: &[Attribute]) -> String {
    format!("Wanted: {}.", listed(wanted))
}

/// "director Ada Lorne, genre western"
pub(crate) fn listed<'i>(attributes: impl IntoIterator<Item = &'i Attribute>) -> String {
    let facts = attributes
        .into_iter()
        .map(|attribute| format!("{} {}", attribute.relation, attribute.value));
    facts.collect::<Vec<_>>().join(", ")
}

/// "[2]Kestrin Road (1994): director Ada Lorne yes, genre western yes. It fits."
pub(crate) fn check_line(place: usize, item: &Item, wanted: &[Attribute]) -> String {
    let mut line = Answer::default();
    line.show(&format!("{}: ", option(place, &item.title)));
    line.mark(item, wanted);
    line.into_text()
}

pub(crate) fn fits(item: &Item, wanted: &[Attribute]) -> bool {
    wanted
        .iter()
        .all(|condition| item.attributes.contains(condition))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(relation: &str, value: &str) -> Attribute {
        Attribute {
            relation: relation.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn a_check_marks_every_value_under_a_wanted_relation() {
        let mut item = Item::new("1", "Toy Fox (1995)");
        let wanted = [attribute("genre", "Comedy"), attribute("decade", "1990s")];
        assert_eq!(
            check_line(0, &item, &wanted),
            "[1]Toy Fox (1995): nothing known."
        );
        item.attributes = vec![
            attribute("decade", "1990s"),
            attribute("genre", "Animation"),
            attribute("genre", "Comedy"),
            attribute("actor", "Max Ilyn"),
        ];
        assert_eq!(
            check_line(0, &item, &wanted),
            "[1]Toy Fox (1995): genre Animation no, genre Comedy yes, decade 1990s yes. It fits."
        );
        item.attributes.remove(0);
        assert_eq!(
            check_line(0, &item, &wanted),
            "[1]Toy Fox (1995): genre Animation no, genre Comedy yes."
        );
    }
}
