//! Brackets behind a title, and what they hold.

use crate::boundary::is_boundary;
use crate::fold::fold;
use crate::year::year;

/// What a pair of brackets behind a title says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bracket {
    /// The year and nothing else: "(1995)".
    Year(u16),
    /// The year among other words: "(1995 film)", "(1995, dir. Mann)".
    Dated(u16),
    /// A format, an edition, a place in a series, a credit: "(TV)", "(Director's Cut)", "(Book 2)", "(dir. Mann)".
    Qualifier,
    /// The number of a note: "[1]".
    Note,
    /// What may be another title: "(a.k.a. Se7en)".
    Name,
}

/// Words that say what kind of thing a title is, or which of several; sorted, as [`fold`] leaves them.
#[rustfmt::skip]
const QUALIFIERS: [&str; 145] = [
    "2d", "3d", "4k", "a", "abridged", "action", "american", "an", "and", "animated", "animation",
    "anime", "anniversary", "audio", "audiobook", "black", "blu", "bluray", "book", "books",
    "british", "bw", "c", "ca", "cartoon", "cd", "chinese", "circa", "collection", "collectors",
    "color", "colorized", "colour", "complete", "criterion", "cut", "definitive", "deluxe",
    "director", "directors", "doc", "documentary", "dub", "dubbed", "dvd", "dvds", "ebook",
    "edition", "english", "episode", "extended", "film", "films", "final", "french", "from", "game",
    "german", "hardcover", "hd", "i", "ii", "iii", "illustrated", "imax", "in", "italian", "iv",
    "japanese", "kindle", "korean", "limited", "live", "mini", "miniseries", "movie", "movies",
    "musical", "novel", "novella", "of", "on", "ona", "opera", "original", "ost", "ova",
    "paperback", "pc", "pilot", "play", "print", "ps2", "ps3", "ps4", "ps5", "ray", "reboot",
    "release", "released", "remake", "remaster", "remastered", "reprint", "restored", "russian",
    "serial", "series", "short", "show", "silent", "soundtrack", "spanish", "special", "stage",
    "sub", "subbed", "subtitled", "subtitles", "the", "theatrical", "tv", "uhd", "uk", "ultimate",
    "unabridged", "uncut", "unrated", "us", "usa", "ussr", "version", "vhs", "video", "videogame",
    "white", "xbox", "year", "年", "年映画", "年版", "年电影", "映画", "电影", "년",
];

/// Words in which an edition ends: "(Ultimate Extended Edition)".
const EDITIONS: [&str; 9] = [
    "cut",
    "dub",
    "edition",
    "print",
    "release",
    "remaster",
    "reprint",
    "subtitles",
    "version",
];

/// Words after which a person follows: "(dir. Mann)".
const CREDITS: [&str; 10] = [
    "author",
    "by",
    "dir",
    "directed",
    "feat",
    "featuring",
    "narrated",
    "starring",
    "with",
    "written",
];

/// Words after which a number follows: "(Book 2)".
const SERIES: [&str; 13] = [
    "book", "disc", "ep", "episode", "no", "number", "part", "pt", "s", "season", "series", "vol",
    "volume",
];

/// What a year is said of: "(Tarkovsky's 1972 film)".
const DATED: [&str; 13] = [
    "adaptation",
    "cut",
    "edition",
    "film",
    "miniseries",
    "movie",
    "musical",
    "release",
    "remake",
    "series",
    "show",
    "special",
    "version",
];

const PAIRS: [(char, char); 6] = [
    ('(', ')'),
    ('[', ']'),
    ('（', '）'),
    ('［', '］'),
    ('【', '】'),
    ('〔', '〕'),
];

pub(crate) fn is_closing(c: char) -> bool {
    matches!(c, ')' | ']' | '）' | '］' | '】' | '〕')
}

/// Splits a last pair of brackets from the text before it; neither may be blank.
pub(crate) fn split_brackets(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_end();
    let last = text.chars().next_back()?;
    let (open, close) = PAIRS.into_iter().find(|(_, close)| *close == last)?;
    // Backwards with a depth: "A (b (c))" ends in "b (c)". The last character closes, so the depth
    // is at least 1 before anything opens, and the search ends at 0: it cannot underflow.
    let mut depth = 0_usize;
    let start = text.char_indices().rev().find_map(|(at, c)| {
        depth += usize::from(c == close);
        depth -= usize::from(c == open);
        (depth == 0).then_some(at)
    })?;
    let inside = &text[start + open.len_utf8()..text.len() - close.len_utf8()];
    let (before, inside) = (text[..start].trim_end(), inside.trim());
    (!before.is_empty() && !inside.is_empty()).then_some((before, inside))
}

impl Bracket {
    /// What the inside of a pair of brackets says.
    pub(crate) fn read(inside: &str) -> Self {
        // Before folding, which allocates: most brackets hold a plain year.
        if let Some(year) = year(inside) {
            return Self::Year(year);
        }
        let inside = fold(inside);
        if let Some(year) = year(&inside) {
            Self::Year(year)
        // Asked before the qualifiers: numbers count among these, so that "1995 film" would be one.
        } else if let Some(year) = dated(&inside) {
            Self::Dated(year)
        } else if says_which(&inside) {
            Self::Qualifier
        } else {
            Self::Name
        }
    }
}

/// The year in a text such as "1972, dir. Tarkovsky", but not the number in "Death Race 2000" or "2001: A Space Odyssey".
fn dated(folded: &str) -> Option<u16> {
    let (at, found) = years(folded).next()?;
    let (before, behind) = (folded[..at].trim_end(), folded[at + 4..].trim_start());
    // Set off by a comma or by standing first: "dir. Tarkovsky, 1972", "1972, dir. Tarkovsky". A
    // colon behind it makes it part of a title, as in "2001: A Space Odyssey".
    let listed = before.ends_with([',', ';']) || before.is_empty() && !behind.starts_with(':');
    let all: Vec<&str> = words(folded).collect();
    let said_of_it = all.last().is_some_and(|word| DATED.contains(word))
        || all.first().is_some_and(|word| CREDITS.contains(word))
        || all.iter().all(|word| is_qualifier(word));
    (listed || said_of_it).then_some(found)
}

/// The years that stand apart in a folded text, with where they begin.
pub(crate) fn years(folded: &str) -> impl DoubleEndedIterator<Item = (usize, u16)> {
    let digits = |c: char| !c.is_ascii_digit();
    let runs = folded.split(digits).filter(|run| !run.is_empty());
    runs.filter_map(move |run| {
        // `split` gives slices of `folded`, so that the distance of the pointers is the offset.
        let at = run.as_ptr() as usize - folded.as_ptr() as usize;
        let (before, behind) = (
            folded[..at].chars().next_back(),
            folded[at + run.len()..].chars().next(),
        );
        let apart = is_boundary(before, Some('1')) && is_boundary(Some('1'), behind);
        year(run).filter(|_| apart).map(|year| (at, year))
    })
}

/// Whether a folded text only says which edition, format or part of a series a title is, or whose; also where it says nothing.
pub(crate) fn says_which(folded: &str) -> bool {
    let all: Vec<&str> = words(folded).collect();
    // Whatever stands before: "Harry Potter, Book 2".
    let numbered = match all[..] {
        [.., word, number] => SERIES.contains(&word) && is_number(number),
        _ => false,
    };
    numbered
        || all.first().is_some_and(|word| CREDITS.contains(word))
        || all
            .last()
            .is_some_and(|word| EDITIONS.contains(word) || word.starts_with('#'))
        || all.iter().all(|word| is_qualifier(word))
}

fn is_qualifier(word: &str) -> bool {
    is_number(word) || QUALIFIERS.binary_search(&word).is_ok()
}

/// A number, also of lines of a picture: "1080p".
fn is_number(word: &str) -> bool {
    let number = word.strip_suffix(['p', 'k']).unwrap_or(word);
    number.bytes().all(|b| b.is_ascii_digit())
}

/// The words of a folded text; "director's" is two, of which the second says nothing.
fn words(folded: &str) -> impl Iterator<Item = &str> {
    let words = folded.split(|c: char| !c.is_alphanumeric() && c != '#');
    words.filter(|word| !word.is_empty() && *word != "s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        assert!(QUALIFIERS.is_sorted());
    }

    #[test]
    fn what_brackets_say() {
        use Bracket::{Dated, Name, Qualifier, Year};
        for (inside, expected) in [
            ("1995", Year(1995)),
            ("１９９５", Year(1995)),
            ("1972 film", Dated(1972)),
            ("1972, dir. Tarkovsky", Dated(1972)),
            ("dir. Tarkovsky, 1972", Dated(1972)),
            ("Andrei Tarkovsky, 1972", Dated(1972)),
            ("directed by Tarkovsky 1972", Dated(1972)),
            ("Tarkovsky's 1972 film", Dated(1972)),
            ("the 1972 version", Dated(1972)),
            ("TV series 1998–2002", Dated(1998)),
            ("released in 1972", Dated(1972)),
            ("1972年", Dated(1972)),
            ("1972/II", Dated(1972)),
            ("TV, 1998", Dated(1998)),
            ("2003 Director's Cut", Dated(2003)),
            ("TV", Qualifier),
            ("2", Qualifier),
            ("II", Qualifier),
            ("#3", Qualifier),
            ("Director’s Cut", Qualifier),
            ("Ultimate Collector's Edition", Qualifier),
            ("Blu-ray", Qualifier),
            ("TV Mini-Series", Qualifier),
            ("The Hunger Games, #2", Qualifier),
            ("Harry Potter, Book 2", Qualifier),
            ("dir. Tarkovsky", Qualifier),
            ("1080p", Qualifier),
            ("Se7en", Name),
            ("a.k.a. Se7en", Name),
            ("The Hunger Games", Name),
            ("Srpski film", Name),
            ("Death Race 2000", Name),
            ("2001: A Space Odyssey", Name),
            ("Wonder Woman 1984", Name),
            ("La Cité des enfants perdus", Name),
        ] {
            assert_eq!(Bracket::read(inside), expected, "{inside}");
        }
    }

    #[test]
    fn brackets_are_split_from_the_text_before_them() {
        for (text, expected) in [
            ("A (b (c)) [d]", Some(("A (b (c))", "d"))),
            ("A （b）", Some(("A", "b"))),
            (" A (b)", Some((" A", "b"))),
            ("(500) Days", None),
            ("(1995)", None),
            ("A ( )", None),
            ("a) b)", None),
        ] {
            assert_eq!(split_brackets(text), expected, "{text}");
        }
    }
}
