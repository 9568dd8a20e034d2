//! Markup that language models write around and inside titles: LaTeX, Markdown, HTML.

mod entity;
mod latex;

use std::borrow::Cow;
use std::ops::Range;

pub use entity::ends_in_reference;

use crate::title::is_padding;

/// A text without its markup: LaTeX's commands, groups, math delimiters, accents and escapes; the emphasis of Markdown; the
/// entities and simple tags of HTML. One pass; borrowed where there is nothing to remove.
///
/// ```
/// use rerec_text::without_markup;
///
/// assert_eq!(without_markup(r"$\text{Les Mis\'erables}$ (2012)"), "Les Misérables (2012)");
/// assert_eq!(without_markup("**Tom &amp; Jerry**"), "Tom & Jerry");
/// assert_eq!(without_markup("Ca$h (2010)"), "Ca$h (2010)");
/// ```
pub fn without_markup(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', '{', '}', '$', '*', '_', '`', '~', '^', '&', '<']) {
        return text.into();
    }
    let mut cleaner = Cleaner {
        text,
        at: 0,
        out: String::with_capacity(text.len()),
        mark: None,
        opens: false,
    };
    while let Some(c) = cleaner.next() {
        cleaner.read(c);
    }
    cleaner.out.trim_matches(is_padding).to_owned().into()
}

/// One pass over a text with markup.
struct Cleaner<'a> {
    text: &'a str,
    at: usize,
    out: String,
    /// A combining mark that waits for its letter.
    mark: Option<char>,
    /// Whether a formula is open.
    opens: bool,
}

impl<'a> Cleaner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let skips = self.rest().starts_with(prefix);
        self.at += if skips { prefix.len() } else { 0 };
        skips
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(' ').len();
    }

    /// What stands before the character that was just read, and what follows it.
    fn around(&self, c: char) -> (Option<char>, Option<char>) {
        let before = self.text[..self.at - c.len_utf8()].chars().next_back();
        (before, self.peek())
    }

    fn read(&mut self, c: char) {
        match c {
            '\\' => self.command(),
            '{' | '}' | '`' | '*' => {}
            '~' => self.blank(),
            '$' if self.is_delimiter() => self.opens = !self.opens,
            // Before the scripts: "_Heat_" is emphasised, and only in a formula does `_` lower a
            // digit.
            '_' if self.is_emphasis() => {}
            '^' | '_' => self.script(c),
            '&' => match entity::read(self.rest()) {
                Some((decoded, length)) => {
                    self.at += length;
                    decoded.chars().for_each(|c| self.push(c));
                }
                None => self.push('&'),
            },
            '<' => match entity::tag(self.rest()) {
                Some(length) => self.at += length,
                None => self.push('<'),
            },
            c if c.is_whitespace() => self.blank(),
            c => self.push(c),
        }
    }

    /// Whether the dollar just read begins or ends a formula: one inside a word, as in "Ca$h", or before a number does not.
    fn is_delimiter(&self) -> bool {
        let (before, behind) = self.around('$');
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        if self.opens {
            return !word(behind);
        }
        // "Alien$^3$" opens a formula inside a word; "Ca$h" does not.
        let begins = !word(before) || matches!(behind, Some('^' | '_' | '\\'));
        begins && behind.is_some() && self.closes_later()
    }

    /// Whether another dollar follows that may close a formula.
    fn closes_later(&self) -> bool {
        // A formula in a title is short; so that the work stays linear.
        let near = self.rest().char_indices().take(MAX_FORMULA);
        let mut near = near.map(|(_, c)| c).peekable();
        while let Some(c) = near.next() {
            if c == '$' && !near.peek().copied().is_some_and(char::is_alphanumeric) {
                return true;
            }
        }
        false
    }

    /// Whether the underscore just read stands at the edge of a word.
    fn is_emphasis(&self) -> bool {
        let (before, behind) = self.around('_');
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        behind != Some('{') && !self.opens && !(word(before) && word(behind))
    }

    /// Raised or lowered digits: "Alien$^3$", "CO$_2$".
    fn script(&mut self, sign: char) {
        let rest = self.rest();
        let inner = rest.strip_prefix('{').unwrap_or(rest);
        let digits = inner.len() - inner.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let braced = inner.len() < rest.len();
        // Without braces LaTeX raises one character: "x^23" is x² and then 3.
        let digits = if braced { digits } else { digits.min(1) };
        let closed = !braced || inner[digits..].starts_with('}');
        let is_script = braced || self.opens || sign == '^';
        if digits == 0 || !closed || !is_script {
            return self.push(sign);
        }
        for digit in inner[..digits].bytes() {
            let raised = RAISED[usize::from(digit - b'0')];
            self.push(if sign == '^' {
                raised
            } else {
                char::from(digit)
            });
        }
        self.at += digits + 2 * usize::from(braced);
    }

    fn blank(&mut self) {
        self.mark = None;
        if !self.out.is_empty() && !self.out.ends_with(' ') {
            self.out.push(' ');
        }
    }

    fn push(&mut self, c: char) {
        match self.mark.take() {
            // LaTeX writes an accent before its letter, Unicode behind it.
            Some(mark) => match unicode_normalization::char::compose(c, mark) {
                Some(composed) => self.out.push(composed),
                None => self.out.extend([c, mark]),
            },
            None => self.out.push(c),
        }
    }
}

/// In characters.
const MAX_FORMULA: usize = 200;

const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];

/// Narrows a range of a text to what is left without padding and markup around the whole of it.
///
/// ```
/// use rerec_text::unwrapped;
///
/// let text = r"so $\text{\large Heat}$";
/// assert_eq!(&text[unwrapped(text, 3..text.len())], "Heat");
/// assert_eq!(unwrapped("**A**; **B**", 0..12), 0..12);
/// ```
///
/// # Panics
/// If the range does not lie within the text, on character boundaries.
pub fn unwrapped(text: &str, range: Range<usize>) -> Range<usize> {
    let mut inside = text[range].trim_matches(is_padding);
    // Bounds the work on a text of nothing but wrappers.
    for _ in 0..MAX_WRAPPERS {
        let Some(unwrapped) = unwrap(inside) else {
            break;
        };
        inside = unwrapped.trim_matches(is_padding);
    }
    // Each step only narrowed the slice: it is still a part of `text`, on character boundaries.
    let start = inside.as_ptr() as usize - text.as_ptr() as usize;
    start..start + inside.len()
}

const MAX_WRAPPERS: usize = 16;

const DELIMITERS: [(&str, &str); 9] = [
    ("$$", "$$"),
    ("$", "$"),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
    ("**", "**"),
    ("__", "__"),
    ("*", "*"),
    ("_", "_"),
    ("`", "`"),
];

/// A text, and what is left of it as the markup and then the quotes and the closing punctuation around it go, one after
/// the other.
///
/// ```
/// let layers: Vec<&str> = rerec_text::layers(r"**“Up!”**.").collect();
/// assert_eq!(layers, ["**“Up!”**.", "**“Up!”**", "“Up!”", "Up!"]);
/// ```
pub fn layers(text: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(text.trim_matches(is_padding)), |&text| {
        let inside = unwrap(text).or_else(|| without_punctuation(text));
        inside.map(|inside| inside.trim_matches(is_padding))
    })
    .take(MAX_WRAPPERS)
}

const QUOTES: [(char, char); 11] = [
    ('"', '"'),
    ('\'', '\''),
    ('“', '”'),
    ('„', '“'),
    ('„', '”'),
    ('‘', '’'),
    ('«', '»'),
    ('»', '«'),
    ('《', '》'),
    ('「', '」'),
    ('『', '』'),
];

fn without_punctuation(text: &str) -> Option<&str> {
    // Nearly every title ends so, and nothing that is taken off here does.
    if text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == ')') {
        return None;
    }
    let quoted = |(open, close): &(char, char)| text.strip_prefix(*open)?.strip_suffix(*close);
    QUOTES
        .iter()
        .find_map(quoted)
        .or_else(|| text.strip_suffix(['.', ',', ';', ':', '。', '，', '、']))
}

/// What is left of a text without the outermost markup, if that is around all of it.
fn unwrap(text: &str) -> Option<&str> {
    // Nearly every title is seen to be bare at its ends: no more is spent on it.
    let ends = |c: char| c.is_ascii_alphanumeric() || c == ')';
    if text.starts_with(ends) && text.ends_with(ends) && !text.contains('\\') {
        return None;
    }
    let delimited = |(open, close): &(&str, &'static str)| {
        let inside = text.strip_prefix(open)?.strip_suffix(close)?;
        // "$A$; $B$" is no formula, but "$\\text{A$AP}$" is.
        let is_one = !inside.contains(close) || is_whole(inside);
        (!inside.is_empty() && is_one).then_some(inside)
    };
    DELIMITERS
        .iter()
        .find_map(delimited)
        .or_else(|| latex::unwrap(text))
}

/// Whether LaTeX's own brackets are around all of a text.
fn is_whole(text: &str) -> bool {
    let formula = text
        .strip_prefix(r"\(")
        .and_then(|inside| inside.strip_suffix(r"\)"));
    formula.is_some_and(|inside| !inside.contains(r"\)"))
        || text.ends_with('}') && latex::unwrap(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_the_text_stays() {
        for (text, expected) in [
            (r"\text{Heat} (1995)", "Heat (1995)"),
            (r"\text {Heat (1995)}\,", "Heat (1995)"),
            (r"$\text{Heat (1995)}$", "Heat (1995)"),
            (r"$$\mathbf{Heat}$$", "Heat"),
            (r"\(\operatorname{Heat}\)", "Heat"),
            (r"\[\mbox{Heat}\]", "Heat"),
            (r"{\bf Heat} \emph{(1995)}", "Heat (1995)"),
            (r"\displaystyle\large Heat", "Heat"),
            (r"\\text{Heat}", "Heat"),
            (r"\textcolor{red}{Heat}", "Heat"),
            (r"\text{Heat}\quad\text{(1995)}", "Heat (1995)"),
            (r"Heat~(1995)\;", "Heat (1995)"),
            (r"100\% Wolf, C\# \& \$9 \_", "100% Wolf, C# & $9 _"),
            (r"Les Mis\'erables", "Les Misérables"),
            (
                r"Am\'{e}lie, Ma\~nana, \c{c}a, \v s, \'{\i}",
                "Amélie, Mañana, ça, š, í",
            ),
            (r#"K\"oln, K\"{o}ln"#, "Köln, Köln"),
            (r"Stra\ss e, \AA, Cr\oe ur", "Straße, Å, Crœur"),
            (r"\ldots And Justice", "...And Justice"),
            (r"Schindler{'}s List", "Schindler's List"),
            (r"Schindler\'s", "Schindlerś"),
            (r"8\frac{1}{2}", "8 1/2"),
            (r"Alien$^3$, Alien^{3}, CO$_2$", "Alien³, Alien³, CO2"),
            ("**Heat** _(1995)_ `x` __y__", "Heat (1995) x y"),
            (r"Dr\. Strange \- Up\*", "Dr. Strange - Up*"),
            (
                "Tom &amp; Jerry&#39;s &quot;&eacute;&#x41;&quot;&amp;#33;",
                "Tom & Jerry's \"éA\"!",
            ),
            ("<b>Heat</b><br/>(1995)", "Heat(1995)"),
            ("Ca$h Mon$y", "Ca$h Mon$y"),
            ("$9.99 & R&D < 3", "$9.99 & R&D < 3"),
            ("snake_case", "snake_case"),
            ("A$AP", "A$AP"),
            ("\\", ""),
        ] {
            assert_eq!(without_markup(text), expected, "{text}");
        }
    }

    #[test]
    fn wrappers_around_all_of_it_are_taken_off() {
        let inside = |text: &str| text[unwrapped(text, 0..text.len())].to_owned();
        for text in [
            r"\text{Heat}",
            r" \textbf{ \large Heat }\, ",
            r"\underline{\text{Heat}}",
            r"$\text{Heat}$",
            r"\(\mathrm{Heat}\)",
            r"{\bf Heat}",
            r"{{Heat}}",
            r"\displaystyle \text {Heat}",
            r"**Heat**",
            r"***Heat***",
            r"`Heat`",
            r"\\text{Heat}\\",
            r"~Heat\quad",
        ] {
            assert_eq!(inside(text), "Heat", "{text}");
        }
        for text in [
            r"\text{A}; \text{B}",
            "**A** and **B**",
            "$A$; $B$",
            r"\'etoile",
            r"\frac{1}{2}",
            r"\ldots And",
            r"{A}{B}",
            r"\u00e9t\u00e9",
        ] {
            assert_eq!(inside(text), text);
        }
    }
}
