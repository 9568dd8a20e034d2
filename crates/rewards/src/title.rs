//! The spelling of a title, reduced to what two spellings of the same title share.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// Words that catalogues move behind a comma: "Postino, Il".
const ARTICLES: [&str; 31] = [
    "the", "a", "an", "le", "la", "les", "l", "un", "une", "il", "lo", "gli", "i", "una", "el",
    "los", "las", "der", "die", "das", "den", "ein", "eine", "het", "de", "o", "os", "as", "um",
    "uma", "det",
];

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
        Some((rest, article)) => {
            fold(article, &mut key);
            // "Avventura, L'" is "L'Avventura".
            if !article.ends_with(['\'', '’']) {
                key.push(' ');
            }
            fold(rest, &mut key);
        }
        None => fold(name, &mut key),
    }
    if key.is_empty() {
        // A title of punctuation alone, such as "...".
        key.extend(name.trim().chars().flat_map(char::to_lowercase));
    }
    key
}

fn split_article(name: &str) -> Option<(&str, &str)> {
    let (rest, article) = name.rsplit_once(',')?;
    let article = article.trim();
    let mut folded = String::new();
    if article.len() > 5 || rest.trim().is_empty() {
        return None;
    }
    fold(article, &mut folded);
    ARTICLES
        .contains(&folded.as_str())
        .then_some((rest, article))
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
}
