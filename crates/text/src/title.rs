//! The spelling of a title, reduced to what two spellings of the same title share.

use std::borrow::Cow;

use crate::article::article_first;
use crate::bracket::{Bracket, is_closing, says_which, split_brackets, years};
use crate::fold::{fold, with_plain_digits};

/// A title reduced to what does not depend on its spelling.
///
/// ```
/// use rerec_text::Title;
///
/// let title = Title::read("City of Lost Children, The (Cité des enfants perdus, La) (1995) (TV)");
/// assert_eq!(title.bare.as_deref(), Some("the city of lost children"));
/// assert_eq!(title.alternatives, ["la cite des enfants perdus"]);
/// assert_eq!(title.year, Some(1995));
/// ```
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Title {
    /// The whole title without its year; where it has raised digits, in a second spelling too.
    pub names: Vec<String>,
    /// The title without what stands in brackets behind it, if anything does.
    pub bare: Option<String>,
    /// Other titles in brackets behind it: "(a.k.a. Se7en)", "(Cité des enfants perdus, La)".
    pub alternatives: Vec<String>,
    /// The year behind the title.
    pub year: Option<u16>,
}

impl Title {
    /// Reads a title with its year in brackets.
    pub fn read(text: &str) -> Self {
        let plain = plain(text);
        let mut title = Self::of_parts(&Parts::read(&plain));
        // "E=mc²" is typed "E=mc2" too.
        let joined = with_plain_digits(text);
        let joined = joined.map(|text| key(&Parts::read(&self::plain(&text)).whole));
        title.names.extend(joined);
        title
    }

    /// A title followed by its year without brackets, as in "Toy Story 1995"; `None` if there is no such year.
    pub fn read_with_bare_year(text: &str) -> Option<Self> {
        let text = plain(text);
        // The last number: one before it, as in "2001: A Space Odyssey 1968", belongs to the name.
        let (at, year) = years(&text).next_back()?;
        let name = text[..at].trim_end_matches([' ', ',', '-', '(', '[', ':', ';', '/', '|']);
        // "1984" alone is a name, and a number that more words of the title follow is inside one. A
        // year is four ASCII digits, so that `at + 4` is a character boundary.
        let stands_behind = name.contains(char::is_alphanumeric) && says_which(&text[at + 4..]);
        stands_behind.then(|| Self {
            year: Some(year),
            ..Self::of_parts(&Parts::read(name))
        })
    }

    fn of_parts(parts: &Parts<'_>) -> Self {
        Self {
            names: vec![key(&parts.whole)],
            bare: (parts.whole != parts.bare).then(|| key(parts.bare)),
            alternatives: parts.names.iter().map(|name| key(name)).collect(),
            year: parts.year,
        }
    }
}

/// A title taken apart, each part as it is written.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The title without its year.
    pub(crate) whole: Cow<'a, str>,
    /// The title without the brackets behind it.
    pub(crate) bare: &'a str,
    /// Other titles in these brackets, from the last one on.
    pub(crate) names: Vec<&'a str>,
    pub(crate) year: Option<u16>,
}

impl<'a> Parts<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        let (mut bare, mut groups) = (text, Vec::new());
        // From the end, so that brackets in front stay in the name: "(500) Days of Summer (2009)".
        while let Some(group) = Group::last(bare) {
            bare = group.before;
            groups.push(group);
        }
        // A year alone goes before one among words: "Alien (1979) (2003 Director's Cut)".
        let year = groups
            .iter()
            .position(|group| matches!(group.says, Bracket::Year(_)));
        let dated = |group: &Group<'_>| matches!(group.says, Bracket::Dated(_));
        // The groups were read from the end: the last one is the bracket next to the name.
        let year = year.or_else(|| groups.iter().rposition(dated));
        // A format or another title stays in the whole name, so that "Merlin (TV)" is told from
        // "Merlin"; `bare` still finds both.
        let is_part = |&at: &usize| Some(at) != year && groups[at].says != Bracket::Note;
        let kept: Vec<usize> = (0..groups.len()).rev().filter(is_part).collect();
        let whole = match kept.len() {
            0 => bare.into(),
            n if n == groups.len() => text.into(),
            _ => kept
                .iter()
                .fold(bare.to_owned(), |whole, &at| {
                    whole + " " + groups[at].written
                })
                .into(),
        };
        let names = groups.iter().filter(|group| group.says == Bracket::Name);
        Self {
            whole,
            bare,
            names: names
                .map(|group| without_also_known_as(group.inside))
                .collect(),
            year: year.and_then(|at| match groups[at].says {
                Bracket::Year(year) | Bracket::Dated(year) => Some(year),
                _ => None,
            }),
        }
    }
}

/// The year that a title gives.
///
/// ```
/// assert_eq!(rerec_text::year_of("Merlin (1998) (TV)"), Some(1998));
/// assert_eq!(rerec_text::year_of("2001: A Space Odyssey"), None);
/// ```
pub fn year_of(title: &str) -> Option<u16> {
    Parts::read(title).year
}

/// A pair of brackets behind a title, or words behind such a pair that only say which title it is.
struct Group<'a> {
    before: &'a str,
    written: &'a str,
    inside: &'a str,
    says: Bracket,
}

impl<'a> Group<'a> {
    fn last(text: &'a str) -> Option<Self> {
        // Closing punctuation may follow the bracket: `"Toy Story (1995)".`
        let end = text.trim_end_matches(|c: char| !c.is_alphanumeric() && !is_closing(c));
        if let Some((before, inside)) = split_brackets(end) {
            // The mark of a footnote, as in "Solaris (1972)[1]"; four digits are a year: "Solaris
            // [1972]".
            let is_note = end.ends_with(']')
                && inside.bytes().all(|b| b.is_ascii_digit())
                && inside.len() < 4;
            let says = if is_note {
                Bracket::Note
            } else {
                Bracket::read(inside)
            };
            let written = end[before.len()..].trim_start();
            return Some(Self {
                before,
                written,
                inside,
                says,
            });
        }
        // "Merlin (1998) Director's Cut"
        let (close, bracket) = end.char_indices().rev().find(|(_, c)| is_closing(*c))?;
        let (before, tail) = end.split_at(close + bracket.len_utf8());
        let year = split_brackets(before).is_some_and(|(_, inside)| {
            matches!(Bracket::read(inside), Bracket::Year(_) | Bracket::Dated(_))
        });
        (year && says_which(&fold(tail))).then_some(Self {
            before,
            written: tail.trim(),
            inside: tail.trim(),
            says: Bracket::Qualifier,
        })
    }
}

fn without_also_known_as(name: &str) -> &str {
    let without = |words: &&str| {
        let (head, rest) = name.split_at_checked(words.len())?;
        // A separator must follow, or "Akasha" would lose its first letters. The last full stop of
        // "a.k.a." is one.
        let rest = rest
            .strip_prefix(['.', ':', ',', ' '])
            .filter(|_| head.eq_ignore_ascii_case(words))?;
        Some(rest.trim_start_matches(['.', ':', ',', ' '])).filter(|rest| !rest.is_empty())
    };
    let words = ["a.k.a", "aka", "also known as"];
    words.iter().find_map(without).unwrap_or(name)
}

/// The text folded, without the trademarks that ASCII writes as "(R)"; as it is where nothing would be left.
fn plain(text: &str) -> Cow<'_, str> {
    // Of ASCII only the case is folded, and `key` does that: nearly every title is borrowed here.
    let folded: Cow<'_, str> = if text.is_ascii() {
        text.into()
    } else {
        fold(text).into()
    };
    let plain = without_trademarks(&folded).map_or(folded, Cow::from);
    if plain.trim().is_empty() {
        text.into()
    } else {
        plain
    }
}

fn without_trademarks(text: &str) -> Option<String> {
    let (mut kept, mut from) = (String::new(), 0);
    for (at, _) in text.match_indices('(') {
        let is_here = |mark: &&&str| {
            // `get`: the range may end behind the text or inside a character.
            let here = text.get(at..at + mark.len());
            here.is_some_and(|here| here.eq_ignore_ascii_case(mark))
        };
        if let Some(mark) = ["(r)", "(tm)", "(c)"].iter().find(is_here) {
            kept += &text[from..at];
            from = at + mark.len();
        }
    }
    (from > 0).then(|| kept + &text[from..])
}

/// The key without a leading English article, if it has one and something is left.
pub fn without_article(key: &str) -> Option<&str> {
    ["the ", "a ", "an "]
        .iter()
        .find_map(|article| key.strip_prefix(article))
}

/// Whether a character may stand around a title or an item without belonging to it.
pub fn is_padding(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// The key of a folded name: article first, punctuation gone.
fn key(name: &str) -> String {
    let mut folder = Folder {
        key: String::with_capacity(name.len() + 4),
        gap: false,
        run: 0,
    };
    let moved = article_first(name);
    let chars = moved.as_deref().unwrap_or(name).chars();
    chars.for_each(|c| folder.push(c.to_ascii_lowercase()));
    if folder.key.is_empty() {
        // A title of punctuation alone, such as "...".
        return name.trim().to_lowercase();
    }
    folder.key
}

struct Folder {
    key: String,
    /// A separator was read since the last letter.
    gap: bool,
    /// Letters since the last separator or full stop.
    run: usize,
}

impl Folder {
    fn push(&mut self, c: char) {
        match c {
            // No gap in their place: "Schindler's" and "Schindlers" share a key.
            '\'' | '`' => {}
            // Initials: "E.T." is "ET", "M*A*S*H" is "MASH"; but "Mr." ends a word.
            '.' | '*' if self.run == 1 => self.run = 0,
            '&' => {
                self.separate();
                "and".chars().for_each(|c| self.push_letter(c));
                self.separate();
            }
            c if is_separator(c) => self.separate(),
            c => self.push_letter(c),
        }
    }

    fn separate(&mut self) {
        self.gap = true;
        self.run = 0;
    }

    fn push_letter(&mut self, c: char) {
        if self.gap && !self.key.is_empty() && !self.key.ends_with(' ') {
            self.key.push(' ');
        }
        self.gap = false;
        self.run += 1;
        self.key.push(c);
    }
}

/// Punctuation and blanks. Signs that make a name, as in "C++", "C#" and "$", are none.
fn is_separator(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() && !matches!(c, '+' | '#' | '$' | '%' | '@')
            || is_padding(c);
    }
    !c.is_alphanumeric()
        && (is_padding(c)
            || matches!(c, '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}')
            || matches!(c, '·' | '・' | '¡' | '¿' | '،' | '؛' | '؟' | '।'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        Title::read(text).names.remove(0)
    }

    #[test]
    fn spellings_of_one_title_share_a_key() {
        for (left, right) in [
            ("Breakfast Club, The (1985)", "The Breakfast Club"),
            ("Amélie", "AME\u{301}LIE"),
            ("Face/Off (1997)", "Face / Off"),
            ("Mission_ Impossible", "Mission: Impossible"),
            (
                "Lord of the Rings, The: The Two Towers",
                "The Lord of the Rings: The Two Towers",
            ),
            (
                "Lord of the Rings: The Two Towers, The (2002)",
                "Lord of the Rings, The - The Two Towers",
            ),
            (
                "Lord of the Rings, The_ The Two Towers",
                "the lord of the rings the two towers",
            ),
            (
                "Good, the Bad and the Ugly, The",
                "The Good, the Bad and the Ugly",
            ),
            ("The_Remains of the Day (1993)", "Remains of the Day, The"),
            ("Schindler's List", "schindlers list"),
            ("E.T. the Extra-Terrestrial", "ET the Extra Terrestrial"),
            ("Dr. Strangelove", "Dr Strangelove"),
            ("M*A*S*H", "MASH"),
            ("Thelma & Louise", "Thelma and Louise"),
            ("Avventura, L' (1960)", "L’Avventura"),
            ("千と千尋の神隠し（２００１）", "千と千尋の神隠し (2001)"),
            ("Smørrebrød", "smorrebrod"),
            ("\"Toy Story (1995)\".", "*Toy Story*"),
        ] {
            assert_eq!(name(left), name(right), "{left} and {right}");
        }
    }

    #[test]
    fn titles_that_differ_in_signs_stay_apart() {
        for (left, right) in [
            ("C++ Primer", "C Primer"),
            ("C#", "C"),
            ("...", "!!!"),
            ("ガラス", "カラス"),
            ("Good, the Bad", "The Good Bad"),
            ("Cook, A-Team", "A Cook: Team"),
        ] {
            assert_ne!(name(left), name(right), "{left} and {right}");
        }
    }

    #[test]
    fn brackets_behind_the_title_hold_years_and_alternatives() {
        let title = Title::read("City of Lost Children, The (Cité des enfants perdus, La) (1995)");
        assert_eq!(title.year, Some(1995));
        assert_eq!(title.bare.as_deref(), Some("the city of lost children"));
        assert_eq!(title.alternatives, ["la cite des enfants perdus"]);
        assert_eq!(
            Title::read("Seven (a.k.a. Se7en) (1995)").alternatives,
            ["se7en"]
        );
        assert_eq!(name("(500) Days of Summer (2009)"), "500 days of summer");
        assert_eq!(
            Title::read("1984"),
            Title {
                names: vec!["1984".into()],
                ..Title::default()
            }
        );
        assert_eq!(Title::read("(1995)").names, ["1995"]);
    }

    #[test]
    fn the_year_is_read_wherever_it_stands() {
        for text in [
            "Solaris (1972)",
            "Solaris [1972]",
            "Solaris（1972）",
            "Solaris（1972年）",
            "Solaris【1972】",
            "Solaris (1972 film)",
            "Solaris (1972, dir. Tarkovsky)",
            "Solaris (1972)[1]",
            "Solaris [12] (1972).",
            "Solaris (1972)²",
            "Solaris (1972) (TV)",
            "Solaris (TV) (1972)",
            "Solaris (1972) Director's Cut",
            "Solaris (1972), directed by Andrei Tarkovsky",
            "Solaris (1972) (2003 Director's Cut)",
            "Solaris (Solyaris) (1972) [Blu-ray]",
            "Solaris (19\u{200b}72)",
            "\"Solaris\" (1972)",
        ] {
            let title = Title::read(text);
            assert_eq!(title.year, Some(1972), "{text}");
            let bare = title
                .bare
                .as_deref()
                .or(title.names.first().map(String::as_str));
            assert_eq!(bare, Some("solaris"), "{text}");
        }
        for text in [
            "Blade Runner 2049",
            "2001: A Space Odyssey",
            "1984",
            "Apollo (13)",
            "Area (0051)",
        ] {
            assert_eq!(Title::read(text).year, None, "{text}");
        }
    }

    #[test]
    fn qualifiers_are_no_titles() {
        for (text, alternatives) in [
            ("Merlin (1998) (TV)", &[][..]),
            ("Alien (1979) (Director's Cut)", &[]),
            ("Rocky (2) (1979)", &[]),
            ("Catching Fire (The Hunger Games, #2)", &[]),
            ("Novecento (1900) (1976)", &[]),
            ("Seven (aka Se7en)", &["se7en"]),
            ("Seven (A.K.A.: Se7en) (DVD)", &["se7en"]),
        ] {
            assert_eq!(Title::read(text).alternatives, alternatives, "{text}");
        }
    }

    #[test]
    fn raised_digits_and_trademarks_in_ascii() {
        assert_eq!(Title::read("E=mc² (2005)").names, ["e mc 2", "e mc2"]);
        assert_eq!(name("LEGO(R) Star Wars(TM)"), name("LEGO® Star Wars™"));
        assert_eq!(name("(C)"), "c");
        assert_eq!(name("™"), "™");
    }

    #[test]
    fn a_year_without_brackets_stands_apart_behind_a_name() {
        let read = |text| {
            Title::read_with_bare_year(text).map(|title| (title.names[0].clone(), title.year))
        };
        let toy_story = Some(("toy story".to_owned(), Some(1995)));
        for text in [
            "Toy Story 1995",
            "Toy Story, 1995.",
            "Toy Story - 1995",
            "Toy Story １９９５",
            "Toy Story, 1995 film",
            "Toy Story 1995, dir. John Lasseter",
            "Toy Story 1995 [3]",
            "Toy Story (1995",
        ] {
            assert_eq!(read(text), toy_story, "{text}");
        }
        assert_eq!(
            read("Breakfast Club, The 1985"),
            Some(("the breakfast club".to_owned(), Some(1985)))
        );
        for text in [
            "1984",
            "...1984",
            "Toy Story",
            "Toy Story1995",
            "Apollo 0013",
            "é95",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
