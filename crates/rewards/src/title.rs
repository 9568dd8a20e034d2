//! The spelling of a title, reduced to what two spellings of the same title share.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// Words that catalogues move behind a comma: "Postino, Il".
const ARTICLES: [&str; 31] = [
    "the", "a", "an", "le", "la", "les", "l", "un", "une", "il", "lo", "gli", "i", "una", "el",
    "los", "las", "der", "die", "das", "den", "ein", "eine", "het", "de", "o", "os", "as", "um",
    "uma", "det",
];

/// In bytes, with an apostrophe or a full stop.
const LONGEST_ARTICLE: usize = 5;

/// What a title says once its spelling is set aside.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Title {
    /// The whole title without its year, then the title without what stands in brackets behind it.
    pub(crate) names: Vec<String>,
    /// What stands in brackets behind the title: "(a.k.a. Se7en)", "(Cité des enfants perdus, La)".
    pub(crate) alternatives: Vec<String>,
    /// The year in brackets.
    pub(crate) year: Option<u16>,
}

impl Title {
    pub(crate) fn read(text: &str) -> Self {
        let text: Cow<'_, str> = if text.is_ascii() {
            text.into()
        } else {
            text.nfkc().collect::<String>().into()
        };
        let (whole, year) = split_year(&text);
        Self::of_parts(whole, year)
    }

    /// A title whose year stands behind it without brackets, as in "Toy Story 1995"; none if there is no such number,
    /// or a year in brackets.
    pub(crate) fn read_with_bare_year(text: &str) -> Option<Self> {
        let text: String = text.nfkc().collect();
        let end = text.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, ')' | ']'));
        let (whole, year) = end.split_at_checked(end.len().checked_sub(4)?)?;
        let apart = whole.ends_with(|c: char| !c.is_alphanumeric());
        let named = whole.contains(char::is_alphanumeric);
        let whole = whole.trim_end_matches([' ', ',', '-', '–']);
        (is_year(year) && apart && named).then(|| Self::of_parts(whole, year.parse().ok()))
    }

    fn of_parts(whole: &str, year: Option<u16>) -> Self {
        let mut title = Self {
            names: vec![key(whole)],
            alternatives: Vec::new(),
            year,
        };
        let mut rest = whole;
        while let Some((before, inside)) = split_brackets(rest) {
            title.alternatives.push(without_also_known_as(key(inside)));
            rest = before;
        }
        if rest.len() < whole.len() {
            title.names.push(key(rest));
        }
        title
    }
}

/// The key without a leading English article, if it has one and something is left.
pub(crate) fn without_article(key: &str) -> Option<&str> {
    ["the ", "a ", "an "]
        .iter()
        .find_map(|article| key.strip_prefix(article))
}

/// Whether a character may stand around a title or an item without belonging to it.
pub(crate) fn is_padding(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// "Toy Story (1995)." -> ("Toy Story", 1995).
fn split_year(text: &str) -> (&str, Option<u16>) {
    let end = text.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, ')' | ']'));
    match split_brackets(end) {
        Some((before, inside)) if is_year(inside) => (before, inside.parse().ok()),
        _ => (text, None),
    }
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && text.starts_with(['1', '2']) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Splits a last pair of brackets from the text before it; neither may be blank.
fn split_brackets(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_end();
    let close = text
        .chars()
        .next_back()
        .filter(|&c| matches!(c, ')' | ']'))?;
    let open = if close == ')' { '(' } else { '[' };
    let mut depth = 0usize;
    for (at, c) in text.char_indices().rev() {
        if c == close {
            depth += 1;
        } else if c == open {
            depth -= 1;
            if depth == 0 {
                let (before, inside) = (text[..at].trim(), text[at + 1..text.len() - 1].trim());
                return (!before.is_empty() && !inside.is_empty()).then_some((before, inside));
            }
        }
    }
    None
}

fn without_also_known_as(key: String) -> String {
    ["aka ", "also known as "]
        .iter()
        .find_map(|words| key.strip_prefix(words))
        .map(str::to_owned)
        .unwrap_or(key)
}

/// The key of a name: article first, case and accents folded, punctuation gone.
fn key(name: &str) -> String {
    let mut key = String::with_capacity(name.len() + 4);
    match split_article(name) {
        Some((before, article, behind)) => {
            fold(article, &mut key);
            // "Avventura, L'" is "L'Avventura".
            if !article.ends_with(['\'', '’']) {
                key.push(' ');
            }
            fold(before, &mut key);
            fold(behind, &mut key);
        }
        None => fold(name, &mut key),
    }
    if key.is_empty() {
        // A title of punctuation alone, such as "...".
        key.extend(name.trim().chars().flat_map(char::to_lowercase));
    }
    key
}

/// "Lord of the Rings, The: The Two Towers" -> ("Lord of the Rings", "The", ": The Two Towers").
fn split_article(name: &str) -> Option<(&str, &str, &str)> {
    name.match_indices(',').find_map(|(comma, _)| {
        let (before, rest) = (&name[..comma], name[comma + 1..].trim_start());
        let ends =
            |&(_, c): &(usize, char)| c.is_whitespace() || matches!(c, ':' | '_' | '(' | '[');
        // No further than an article reaches, so that the work is linear in the name.
        let end = rest.char_indices().take(LONGEST_ARTICLE + 1).find(ends);
        let (article, behind) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        let behind = behind.trim_start();
        let closed = behind.is_empty() || behind.starts_with([':', '_', '(', '[', '-', '–']);
        (closed && is_article(article) && !before.trim().is_empty())
            .then_some((before, article, behind))
    })
}

fn is_article(word: &str) -> bool {
    let mut folded = String::new();
    if word.len() <= LONGEST_ARTICLE {
        fold(word, &mut folded);
    }
    ARTICLES.contains(&folded.as_str())
}

/// Appends the folded text to a key.
fn fold(text: &str, key: &mut String) {
    let mut folder = Folder {
        key,
        gap: false,
        run: 0,
    };
    if text.is_ascii() {
        text.chars()
            .for_each(|c| folder.push(c.to_ascii_lowercase()));
    } else {
        text.nfkd()
            .filter(|c| !is_accent(*c))
            .flat_map(char::to_lowercase)
            .for_each(|c| folder.push(c));
    }
}

fn is_accent(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

struct Folder<'a> {
    key: &'a mut String,
    /// A separator was read since the last letter.
    gap: bool,
    /// Letters since the last separator or full stop.
    run: usize,
}

impl Folder<'_> {
    fn push(&mut self, c: char) {
        match c {
            '\'' | '’' | '‘' | '`' | 'ʼ' => {}
            // Initials: "E.T." is "ET", "M*A*S*H" is "MASH"; but "Mr." ends a word.
            '.' | '*' if self.run == 1 => self.run = 0,
            '&' => self.push_word("and"),
            'æ' => self.push_letters("ae"),
            'œ' => self.push_letters("oe"),
            'ß' => self.push_letters("ss"),
            'þ' => self.push_letters("th"),
            'ø' => self.push_letter('o'),
            'ł' => self.push_letter('l'),
            'đ' | 'ð' => self.push_letter('d'),
            'ı' => self.push_letter('i'),
            'ς' => self.push_letter('σ'),
            c if is_separator(c) => self.separate(),
            c => self.push_letter(c),
        }
    }

    fn separate(&mut self) {
        self.gap = true;
        self.run = 0;
    }

    fn push_word(&mut self, word: &str) {
        self.separate();
        self.push_letters(word);
        self.separate();
    }

    fn push_letters(&mut self, letters: &str) {
        letters.chars().for_each(|c| self.push_letter(c));
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
            || matches!(c, '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{feff}' | '\u{ad}')
            || matches!(c, '·' | '・' | '¡' | '¿' | '«' | '»'))
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
        assert_eq!(title.names[1], "the city of lost children");
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
            "Toy Story (1995)",
            "é95",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
