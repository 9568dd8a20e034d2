//! Commands of LaTeX.

use super::Cleaner;

/// Commands that set a mark on the letter behind them, and the mark; the others do the same in letters.
const ACCENTS: [(&str, char); 18] = [
    ("`", '\u{300}'),
    ("'", '\u{301}'),
    ("^", '\u{302}'),
    ("~", '\u{303}'),
    ("=", '\u{304}'),
    (".", '\u{307}'),
    ("\"", '\u{308}'),
    ("u", '\u{306}'),
    ("r", '\u{30A}'),
    ("H", '\u{30B}'),
    ("v", '\u{30C}'),
    ("d", '\u{323}'),
    ("c", '\u{327}'),
    ("k", '\u{328}'),
    ("b", '\u{331}'),
    ("acute", '\u{301}'),
    ("grave", '\u{300}'),
    ("hat", '\u{302}'),
];

/// Commands that stand for text.
#[rustfmt::skip]
const SYMBOLS: [(&str, &str); 65] = [
    ("ss", "ß"), ("ae", "æ"), ("AE", "Æ"), ("oe", "œ"), ("OE", "Œ"), ("o", "ø"), ("O", "Ø"), ("l", "ł"),
    ("L", "Ł"), ("aa", "å"), ("AA", "Å"), ("i", "i"), ("j", "j"), ("dh", "ð"), ("DH", "Ð"), ("th", "þ"),
    ("TH", "Þ"), ("dj", "đ"), ("DJ", "Đ"), ("ldots", "..."), ("dots", "..."), ("cdots", "..."),
    ("textellipsis", "..."), ("textendash", "–"), ("textemdash", "—"), ("textquoteright", "’"),
    ("textquoteleft", "‘"), ("textquotedblleft", "“"), ("textquotedblright", "”"), ("textquotesingle", "'"),
    ("textquotedbl", "\""), ("lq", "‘"), ("rq", "’"), ("textregistered", "®"), ("texttrademark", "™"),
    ("textcopyright", "©"), ("copyright", "©"), ("textunderscore", "_"), ("textbackslash", "\\"),
    ("textasciitilde", "~"), ("textdollar", "$"), ("textpercent", "%"), ("textbraceleft", "{"),
    ("textbraceright", "}"), ("textdegree", "°"), ("textperiodcentered", "·"), ("cdot", "·"), ("times", "×"),
    ("texttimes", "×"), ("pi", "π"), ("infty", "∞"), ("heartsuit", "♥"), ("star", "⋆"), ("pounds", "£"),
    ("textsterling", "£"), ("euro", "€"), ("S", "§"), ("prime", "′"), ("colon", ":"), ("slash", "/"),
    ("lbrace", "{"), ("rbrace", "}"), ("lbrack", "["), ("rbrack", "]"), ("textonehalf", "½"),
];

/// Commands that stand for a blank.
const BLANKS: [&str; 12] = [
    "quad",
    "qquad",
    "enspace",
    "enskip",
    "thinspace",
    "medspace",
    "thickspace",
    "space",
    "nobreakspace",
    "newline",
    "hfill",
    "linebreak",
];

/// Commands whose first argument is no text.
const WITH_ARGUMENT: [&str; 12] = [
    "hspace",
    "vspace",
    "hskip",
    "phantom",
    "hphantom",
    "textcolor",
    "color",
    "colorbox",
    "href",
    "begin",
    "end",
    "label",
];

const FRACTIONS: [&str; 5] = ["frac", "tfrac", "dfrac", "nicefrac", "sfrac"];

impl Cleaner<'_> {
    /// Reads what follows a backslash.
    pub(super) fn command(&mut self) {
        // "\\text" is a command that was escaped once more.
        while self.rest().starts_with('\\') {
            self.at += 1;
            if !self
                .peek()
                .is_some_and(|c| c == '\\' || c.is_ascii_alphabetic())
            {
                // Two backslashes that no letter follows break the line in LaTeX.
                return self.blank();
            }
        }
        let rest = self.rest();
        let letters = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        if letters > 0 {
            self.at += letters;
            return self.word(&rest[..letters]);
        }
        let Some(sign) = self.next() else { return };
        match sign {
            ',' | ';' | ':' | '>' | ' ' => self.blank(),
            '!' | '/' => {}
            '(' | '[' => self.opens = true,
            ')' | ']' => self.opens = false,
            sign if sign.is_whitespace() => self.blank(),
            sign => match accent(sign.encode_utf8(&mut [0; 4])) {
                // An accent only before a letter; elsewhere the backslash has escaped the sign.
                Some(mark) if self.letter_follows() => self.mark = Some(mark),
                _ => self.push(sign),
            },
        }
    }

    fn letter_follows(&self) -> bool {
        let rest = self.rest().trim_start_matches('{');
        // Accents stand on the dotless i and j: "\'{\i}" is "í".
        let rest = rest
            .strip_prefix("\\i")
            .or_else(|| rest.strip_prefix("\\j"))
            .map_or(rest, |_| "i");
        rest.starts_with(char::is_alphabetic)
    }

    fn word(&mut self, name: &str) {
        if let Some(mark) = accent(name) {
            self.skip_blanks();
            if self.letter_follows() {
                self.mark = Some(mark);
            }
        } else if let Some((_, text)) = SYMBOLS.iter().find(|(known, _)| *known == name) {
            text.chars().for_each(|c| self.push(c));
            self.skip_blanks();
        } else if BLANKS.contains(&name) {
            self.blank();
            self.skip_blanks();
        } else if WITH_ARGUMENT.contains(&name) {
            self.skip("*");
            self.skip_argument();
            // These leave a gap in the text; a colour or a link does not.
            if matches!(name, "hspace" | "hskip" | "phantom" | "hphantom") {
                self.blank();
            }
        } else if FRACTIONS.contains(&name) {
            self.fraction();
        } else {
            // A wrapper, a font, or what is not known: what it is said of stands behind it.
            self.skip("*");
            self.skip_blanks();
        }
    }

    /// Skips a group in braces that holds no other.
    fn skip_argument(&mut self) {
        self.skip_blanks();
        let rest = self.rest();
        let inside = rest.strip_prefix('{');
        if let Some(end) = inside
            .and_then(|inside| inside.find(['{', '}']))
            .filter(|end| rest[end + 1..].starts_with('}'))
        {
            self.at += end + 2;
        }
    }

    /// "8\frac{1}{2}" -> "8 1/2".
    fn fraction(&mut self) {
        let digits = |text: &str| -> Option<(u32, usize)> {
            let end = text
                .strip_prefix('{')?
                .bytes()
                .take(4)
                .position(|b| b == b'}')?;
            Some((text[1..=end].parse().ok()?, end + 2))
        };
        let rest = self.rest();
        let parts = digits(rest).and_then(|(top, length)| {
            let (bottom, more) = digits(&rest[length..])?;
            Some((top, bottom, length + more))
        });
        let Some((top, bottom, length)) = parts else {
            return;
        };
        self.at += length;
        if self.out.ends_with(|c: char| c.is_ascii_digit()) {
            self.blank();
        }
        format!("{top}/{bottom}").chars().for_each(|c| self.push(c));
    }
}

fn accent(name: &str) -> Option<char> {
    ACCENTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, mark)| *mark)
}

/// What is left of a text without the command, the group or the blank around or before all of it.
pub(super) fn unwrap(text: &str) -> Option<&str> {
    let blanks = [r"\,", r"\;", r"\:", r"\!", r"\>", r"\ ", "~"];
    let start = blanks.iter().find_map(|blank| text.strip_prefix(blank));
    let end = || {
        blanks
            .iter()
            .chain(&["\\"])
            .find_map(|blank| text.strip_suffix(blank))
    };
    let named = || {
        let (rest, name) = text.rsplit_once('\\')?;
        BLANKS.contains(&name).then_some(rest)
    };
    start
        .or_else(end)
        .or_else(named)
        .or_else(|| unwrap_command(text))
}

fn unwrap_command(text: &str) -> Option<&str> {
    let (name, rest) = match text.strip_prefix('\\') {
        None => ("", text),
        Some(rest) => {
            let rest = rest.trim_start_matches('\\');
            rest.split_at(
                rest.len()
                    - rest
                        .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                        .len(),
            )
        }
    };
    let group = rest
        .strip_prefix('*')
        .unwrap_or(rest)
        .trim_start_matches(' ');
    if let Some(inside) = group.strip_prefix('{') {
        // "\'{e}" and "\frac{1}{2}" say more than their argument does.
        let says_more =
            accent(name).is_some() || WITH_ARGUMENT.contains(&name) || FRACTIONS.contains(&name);
        // "{A}{B}" begins and ends with braces, but no pair is around all of it.
        return (!says_more && closing_brace(inside)? + 1 == inside.len())
            .then(|| &inside[..inside.len() - 1]);
    }
    // A font switch or a blank: "\large Heat".
    let is_switch = !name.is_empty()
        && accent(name).is_none()
        && SYMBOLS.iter().all(|(symbol, _)| *symbol != name);
    (is_switch && !rest.is_empty() && !rest.starts_with(|c: char| c.is_ascii_digit()))
        .then_some(rest)
}

/// Where the group closes that a text lies in, from behind its opening brace on.
fn closing_brace(text: &str) -> Option<usize> {
    let (mut depth, mut escaped) = (1_usize, false);
    text.bytes().position(|b| {
        match b {
            _ if escaped => {}
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        escaped = b == b'\\' && !escaped;
        depth == 0
    })
}
