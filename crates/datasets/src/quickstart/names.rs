//! Invented names: every combination is pronounceable, none is an English word.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::NameLength;

const TITLE_STEMS: [&str; 24] = [
    "Vel", "Kes", "Tal", "Bren", "Dor", "Ilm", "Sar", "Quil", "Hal", "Fen", "Wyn", "Cor", "Lum",
    "Nar", "Pel", "Ros", "Tem", "Zan", "Gar", "Jes", "Orl", "Ulm", "Yar", "Bas",
];
const TITLE_ENDINGS: [&str; 16] = [
    "mora", "trin", "dara", "loth", "vesk", "sune", "brel", "tava", "lirn", "maro", "dulm",
    "thane", "kora", "ribe", "nimo", "zeth",
];
const GIVEN_STEMS: [&str; 20] = [
    "Al", "Bel", "Cam", "Dem", "El", "Far", "Gil", "Hem", "Iv", "Jol", "Kam", "Lor", "Mir", "Nel",
    "Or", "Pem", "Rin", "Sel", "Tam", "Ull",
];
const GIVEN_ENDINGS: [&str; 5] = ["dra", "win", "eth", "iko", "una"];
const SURNAME_STEMS: [&str; 18] = [
    "Ask", "Brun", "Crel", "Drov", "Esk", "Falk", "Gorm", "Hest", "Jand", "Kell", "Lind", "Mosk",
    "Nord", "Prell", "Rusk", "Selm", "Tolv", "Vant",
];
const SURNAME_ENDINGS: [&str; 6] = ["ane", "ery", "ume", "orn", "ith", "ald"];

/// The invented words a title can be built on.
pub(super) const MAX_TITLES: usize = TITLE_STEMS.len() * TITLE_ENDINGS.len();
/// The people that can be named; given names run out first.
pub(super) const MAX_PEOPLE: usize = GIVEN_STEMS.len() * GIVEN_ENDINGS.len();

/// All title words in random order, each once.
pub(super) fn title_words(rng: &mut ChaCha8Rng) -> Vec<String> {
    shuffled_words(&TITLE_STEMS, &TITLE_ENDINGS, rng)
}

/// Names in random order; no given name and no surname comes twice.
pub(super) fn people(length: NameLength, rng: &mut ChaCha8Rng) -> Vec<String> {
    let given = shuffled_words(&GIVEN_STEMS, &GIVEN_ENDINGS, rng);
    let surnames = shuffled_words(&SURNAME_STEMS, &SURNAME_ENDINGS, rng);
    given
        .iter()
        .zip(surnames)
        .map(|(given, surname)| match length {
            NameLength::Full => format!("{given} {surname}"),
            NameLength::Short => surname,
        })
        .collect()
}

fn shuffled_words(stems: &[&str], endings: &[&str], rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut words: Vec<String> = stems
        .iter()
        .flat_map(|stem| endings.iter().map(move |ending| format!("{stem}{ending}")))
        .collect();
    words.shuffle(rng);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_in_every_part() {
        let mut rng = stream(0, "names", "test");
        let titles = title_words(&mut rng);
        let people = people(NameLength::Full, &mut rng);
        assert_eq!((titles.len(), people.len()), (MAX_TITLES, MAX_PEOPLE));
        let words: HashSet<&str> = people
            .iter()
            .flat_map(|name| name.split(' '))
            .chain(titles.iter().map(String::as_str))
            .collect();
        assert_eq!(words.len(), MAX_TITLES + 2 * MAX_PEOPLE);
    }
}
