//! Character references and tags of HTML.

use std::borrow::Cow;

use unicode_normalization::char::compose;

/// In bytes, without the ampersand.
const LONGEST: usize = 32;

/// Names whose character is not a letter with an accent.
#[rustfmt::skip]
const NAMED: [(&str, &str); 89] = [
    ("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'"), ("nbsp", " "), ("ensp", " "),
    ("emsp", " "), ("thinsp", " "), ("shy", ""), ("zwj", ""), ("zwnj", ""), ("ndash", "–"), ("mdash", "—"),
    ("minus", "−"), ("hyphen", "-"), ("lsquo", "‘"), ("rsquo", "’"), ("sbquo", "‚"), ("ldquo", "“"),
    ("rdquo", "”"), ("bdquo", "„"), ("laquo", "«"), ("raquo", "»"), ("prime", "′"), ("Prime", "″"),
    ("hellip", "…"), ("middot", "·"), ("bull", "•"), ("iexcl", "¡"), ("iquest", "¿"), ("szlig", "ß"),
    ("aelig", "æ"), ("AElig", "Æ"), ("oelig", "œ"), ("OElig", "Œ"), ("oslash", "ø"), ("Oslash", "Ø"),
    ("lstrok", "ł"), ("Lstrok", "Ł"), ("eth", "ð"), ("ETH", "Ð"), ("thorn", "þ"), ("THORN", "Þ"),
    ("inodot", "ı"), ("reg", "®"), ("trade", "™"), ("copy", "©"), ("frac12", "½"), ("frac14", "¼"),
    ("frac34", "¾"), ("frac13", "⅓"), ("frac23", "⅔"), ("sup1", "¹"), ("sup2", "²"), ("sup3", "³"),
    ("times", "×"), ("deg", "°"), ("ordf", "ª"), ("ordm", "º"), ("euro", "€"), ("pound", "£"), ("yen", "¥"),
    ("cent", "¢"), ("sect", "§"), ("hearts", "♥"), ("star", "☆"), ("starf", "★"), ("num", "#"),
    ("percnt", "%"), ("dollar", "$"), ("lpar", "("), ("rpar", ")"), ("lbrack", "["), ("lsqb", "["),
    ("rsqb", "]"), ("colon", ":"), ("semi", ";"), ("comma", ","), ("period", "."), ("excl", "!"),
    ("quest", "?"), ("plus", "+"), ("sol", "/"), ("ast", "*"), ("lowbar", "_"), ("commat", "@"), ("pi", "π"),
    ("infin", "∞"),
];

/// Accents by the end of a name: "eacute".
const ACCENTS: [(&str, char); 8] = [
    ("grave", '\u{300}'),
    ("acute", '\u{301}'),
    ("circ", '\u{302}'),
    ("tilde", '\u{303}'),
    ("uml", '\u{308}'),
    ("ring", '\u{30A}'),
    ("caron", '\u{30C}'),
    ("cedil", '\u{327}'),
];

const TAGS: [&str; 20] = [
    "a", "b", "big", "br", "cite", "code", "del", "em", "font", "i", "ins", "mark", "p", "s",
    "small", "span", "strong", "sub", "sup", "u",
];

/// The text of a reference and its length, both behind the ampersand. One that was escaped twice ("&amp;#39;") is one.
pub(super) fn read(text: &str) -> Option<(Cow<'static, str>, usize)> {
    let rest = text.trim_start_matches("amp;");
    let escapes = text.len() - rest.len();
    match reference(rest) {
        Some((decoded, length)) => Some((decoded, escapes + length)),
        None => (escapes > 0).then(|| ("&".into(), escapes)),
    }
}

fn reference(text: &str) -> Option<(Cow<'static, str>, usize)> {
    // Bounded, so that ampersands without a semicolon do not each search the rest of the text.
    let end = text.bytes().take(LONGEST).position(|b| b == b';')?;
    let name = &text[..end];
    let decoded = match name.strip_prefix('#') {
        Some(number) => character(number)?.to_string().into(),
        None => named(name)?,
    };
    Some((decoded, end + 1))
}

fn character(number: &str) -> Option<char> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    code.ok()
        .and_then(char::from_u32)
        // Titles hold no control characters: such a reference is left as it is written.
        .filter(|c| !c.is_control())
}

fn named(name: &str) -> Option<Cow<'static, str>> {
    if let Some((_, text)) = NAMED.iter().find(|(known, _)| *known == name) {
        return Some((*text).into());
    }
    let letter = name.chars().next().filter(char::is_ascii_alphabetic)?;
    // The letter is ASCII, so that its accent begins at byte 1.
    let (_, mark) = ACCENTS.iter().find(|(accent, _)| *accent == &name[1..])?;
    compose(letter, *mark).map(|c| c.to_string().into())
}

/// The length of a simple tag, behind its opening bracket.
pub(super) fn tag(text: &str) -> Option<usize> {
    const LONGEST_TAG: usize = 200;
    let end = text.bytes().take(LONGEST_TAG).position(|b| b == b'>')?;
    let inside = text[..end].trim_matches('/');
    let name = inside.split([' ', '/']).next()?;
    TAGS.iter()
        .any(|tag| tag.eq_ignore_ascii_case(name))
        .then_some(end + 1)
}

/// Whether a text ends in a character reference, of which the last semicolon is a part.
///
/// ```
/// use rerec_text::ends_in_reference;
///
/// assert!(ends_in_reference("Tom &amp;"));
/// assert!(!ends_in_reference("Steins;"));
/// ```
pub fn ends_in_reference(text: &str) -> bool {
    let near = text.len().saturating_sub(LONGEST + 1);
    let start = text
        .bytes()
        .skip(near)
        .rposition(|b| b == b'&')
        .map(|at| near + at + 1);
    start
        .and_then(|start| Some((text.get(start..)?, text.len() - start)))
        .is_some_and(|(text, length)| read(text).is_some_and(|(_, read)| read == length))
}
