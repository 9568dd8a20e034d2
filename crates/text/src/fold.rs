//! One spelling for what readers take for the same name.

use std::borrow::Cow;
use std::ops::Range;

use unicode_normalization::char::{
    canonical_combining_class, decompose_compatible, is_combining_mark,
};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A folded text that knows where its bytes came from.
///
/// ```
/// use rerec_text::{Fold, Folded};
///
/// let folded = Folded::new("Amélie’s", Fold::Spelling);
/// assert_eq!(folded.text, "amelie's");
/// assert_eq!(folded.original(0..6), Some(0..7)); // "Amélie" has 7 bytes
/// ```
#[derive(Debug, Clone)]
pub struct Folded {
    /// The folded text.
    pub text: String,
    /// The characters that folding changed, in order.
    changes: Vec<Change>,
}

/// A character of the original and what stands for it.
#[derive(Debug, Clone)]
struct Change {
    original: Range<usize>,
    folded: Range<usize>,
}

/// Which differences are folded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// Case.
    Case,
    /// Whatever [`fold`] folds.
    Spelling,
}

impl Folded {
    /// Folds a text.
    pub fn new(original: &str, fold: Fold) -> Self {
        let mut folded = Self {
            text: String::with_capacity(original.len()),
            changes: Vec::new(),
        };
        let (mut rest, mut before) = (original, None);
        loop {
            // Bytes of ASCII are whole characters: the run ends on a boundary.
            let (ascii, other) = rest.split_at(ascii_run(rest));
            folded.text.push_str(ascii);
            before = ascii.chars().next_back().or(before);
            let mut chars = other.chars();
            let Some(c) = chars.next() else { break };
            folded.push(c, before, original.len() - other.len(), fold);
            before = Some(c);
            rest = chars.as_str();
        }
        // All ASCII at once: far quicker than letter by letter.
        folded.text.make_ascii_lowercase();
        folded
    }

    /// Appends what stands for the character `c` that begins at a byte of the original.
    fn push(&mut self, c: char, before: Option<char>, at: usize, fold: Fold) {
        let start = self.text.len();
        match fold {
            Fold::Case => self.text.extend(c.to_lowercase()),
            Fold::Spelling => fold_char(c, before, |part| self.text.push(part)),
        }
        // A character that stays as it is keeps its length: offsets need no entry for it.
        if !self.text[start..].chars().eq([c]) {
            self.changes.push(Change {
                original: at..at + c.len_utf8(),
                folded: start..self.text.len(),
            });
        }
    }

    /// The original of a span of whole characters of the folded text; `None` for a span that splits
    /// a character of the original. Marks that were folded away belong to the letter before them.
    pub fn original(&self, span: Range<usize>) -> Option<Range<usize>> {
        Some(self.origin(span.start)?..self.origin(span.end)?)
    }

    fn origin(&self, at: usize) -> Option<usize> {
        // Between two changes both texts differ by a constant offset. `<=` takes in a mark that was
        // folded away, an empty range, with the letter before it.
        let before = self.changes.partition_point(|c| c.folded.end <= at);
        let splits = self
            .changes
            .get(before)
            .is_some_and(|c| c.folded.start < at);
        let kept_since = |c: &Change| c.original.end + (at - c.folded.end);
        let last = before
            .checked_sub(1)
            .and_then(|last| self.changes.get(last));
        (!splits).then(|| last.map_or(at, kept_since))
    }
}

/// A text in a normal form for comparison: no case, no accents or other marks, no signs that nobody types
/// (zero-width characters, variation selectors, trademark signs, tatweel); one kind of quotes, dashes and spaces; widths,
/// ligatures, Roman numerals, fractions and raised digits as they are typed.
///
/// ```
/// use rerec_text::fold;
///
/// assert_eq!(fold("Ｄvořák’s Ⅳ – 8½™"), "dvorak's iv - 8 1/2");
/// ```
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let (mut folded, mut before) = (String::with_capacity(text.len()), None);
    for c in text.chars() {
        match c {
            c if c.is_ascii() => folded.push(c.to_ascii_lowercase()),
            c => fold_char(c, before, |part| folded.push(part)),
        }
        before = Some(c);
    }
    folded
}

/// A text with its letters and their marks composed (NFC): canonically equal texts are the same characters.
///
/// ```
/// assert_eq!(rerec_text::composed("Ame\u{301}lie"), "Amélie");
/// ```
pub fn composed(text: &str) -> Cow<'_, str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.into(),
        _ => text.nfc().collect::<String>().into(),
    }
}

/// A text with its raised digits on the line, if it has any: "E=mc²" -> "E=mc2".
pub(crate) fn with_plain_digits(text: &str) -> Option<String> {
    let raised = !text.is_ascii() && text.contains(is_raised);
    let plain = |c| if is_raised(c) { on_the_line(c) } else { c };
    raised.then(|| text.chars().map(plain).collect())
}

/// The number of bytes before the first character that is not ASCII.
fn ascii_run(text: &str) -> usize {
    const BLOCK: usize = 32;
    // Whole blocks first, which `is_ascii` tests several bytes at a time.
    let (blocks, bytes) = (text.as_bytes().chunks_exact(BLOCK), text.as_bytes());
    let passed = BLOCK * blocks.take_while(|block| block.is_ascii()).count();
    passed
        + bytes[passed..]
            .iter()
            .take_while(|byte| byte.is_ascii())
            .count()
}

/// What stands for a character that is not ASCII, behind the character `before`.
fn fold_char(c: char, before: Option<char>, mut push: impl FnMut(char)) {
    match c {
        c if is_ignored(c) => return,
        c if is_apostrophe(c) => return push('\''),
        c if is_quote(c) => return push('"'),
        c if is_dash(c) => return push('-'),
        '【' | '〔' | '〖' => return push('['),
        '】' | '〕' | '〗' => return push(']'),
        '\u{2215}' => return push('/'),
        '×' => return push('x'),
        c if c.is_whitespace() => return push(' '),
        // "8½" is typed "8 1/2", and "Alien³" "Alien 3".
        c if is_fraction(c) && before.is_some_and(char::is_numeric) => push(' '),
        c if is_raised(c) && before.is_some_and(|b| b.is_alphanumeric() && !is_raised(b)) => {
            push(' ');
        }
        _ => {}
    }
    // What a mark stands on: the letter that the same decomposition gave before it, or else the
    // character before.
    let mut base = before;
    decompose_compatible(c, |part| {
        if !is_folded_mark(part, base) {
            part.to_lowercase().for_each(|part| spell(part, &mut push));
        }
        base = Some(part);
    });
}

/// Letters that no decomposition takes apart, as other alphabets write them.
fn spell(c: char, mut push: impl FnMut(char)) {
    let letters = match c {
        'æ' => "ae",
        'œ' => "oe",
        'ß' => "ss",
        'þ' => "th",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ς' => "σ",
        '\u{2044}' => "/",
        // What lowering a capital I with its dot leaves.
        '\u{307}' => "",
        c => return push(c),
    };
    letters.chars().for_each(push);
}

/// Marks that readers leave out: accents, vowel points, enclosing marks, variation selectors.
///
/// A mark is more than that where it spells: the voicing marks of kana (combining class 8), and the vowel signs and viramas of
/// Indic and South-East Asian scripts (0 where they are letters, 9, 84 to 132). Behind a letter of another script, these too
/// are noise.
fn is_folded_mark(c: char, base: Option<char>) -> bool {
    if !is_combining_mark(c) {
        return false;
    }
    let spells = match canonical_combining_class(c) {
        0 => c.is_alphanumeric(),
        8 | 9 | 84..=132 => true,
        _ => false,
    };
    // Below U+0700: Latin, Greek, Cyrillic, Armenian, Hebrew and Arabic, which spell with none of
    // these.
    !spells || base.is_some_and(|base| base < '\u{700}')
}

/// Characters without width of their own, and signs that stand in no title as it is typed.
fn is_ignored(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // Hangul fillers
        | '®' | '©' | '™' | '℠' | '℗'
        | '\u{640}' | '\u{7FA}' | '\u{180A}' // tatweel and its like
    )
}

fn is_apostrophe(c: char) -> bool {
    matches!(c,
        '´' | '\u{2B9}'..='\u{2BF}' | '\u{2C8}' | '\u{2CA}' | '\u{2CB}' | '\u{55A}' | '\u{5F3}'
        | '\u{2018}'..='\u{201B}' | '\u{2032}' | '\u{2035}' | '\u{A78B}' | '\u{A78C}' | '\u{FF07}' | '\u{FF40}')
}

fn is_quote(c: char) -> bool {
    matches!(c,
        '«' | '»' | '\u{5F4}' | '\u{201C}'..='\u{201F}' | '\u{2033}' | '\u{2036}' | '\u{275D}' | '\u{275E}'
        | '\u{301D}'..='\u{301F}' | '\u{FF02}')
}

/// Dashes, hyphens and minus signs.
fn is_dash(c: char) -> bool {
    matches!(
        c,
        '\u{2D7}' | '\u{58A}' | '\u{5BE}' | '\u{1400}' | '\u{1806}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2043}'
                | '\u{207B}'
                | '\u{208B}'
                | '\u{2212}'
                | '\u{2796}'
                | '\u{2E17}'
                | '\u{2E1A}'
                | '\u{2E3A}'
                | '\u{2E3B}'
                | '\u{2E40}'
                | '\u{2E5D}'
                | '\u{301C}'
                | '\u{3030}'
                | '\u{30A0}'
                | '\u{FE31}'
                | '\u{FE32}'
                | '\u{FE58}'
                | '\u{FE63}'
                | '\u{FF0D}'
                | '\u{FF5E}'
                | '\u{10EAD}'
    )
}

fn on_the_line(raised: char) -> char {
    let mut plain = raised;
    decompose_compatible(raised, |digit| plain = digit);
    plain
}

fn is_fraction(c: char) -> bool {
    matches!(c, '¼'..='¾' | '\u{2150}'..='\u{215F}' | '\u{2189}')
}

fn is_raised(c: char) -> bool {
    matches!(c, '²' | '³' | '¹' | '\u{2070}' | '\u{2074}'..='\u{2079}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling() {
        let fold = |text: &str, fold| Folded::new(text, fold).text;
        assert_eq!(
            fold("Amélie’s “Été” – ÎLE", Fold::Spelling),
            "amelie's \"ete\" - ile"
        );
        assert_eq!(fold("Ame\u{301}lie", Fold::Spelling), "amelie");
        assert_eq!(fold("ÉTÉ", Fold::Case), "été");
        assert_eq!(
            fold("がか", Fold::Spelling),
            fold("か\u{3099}か", Fold::Spelling)
        );
    }

    #[test]
    fn signs_as_people_type_them() {
        for (left, right) in [
            ("8½", "8 1/2"),
            ("2½: x", "2 1/2: x"),
            ("½", "1/2"),
            ("33⅓", "33 1/3"),
            ("8 1⁄2", "8 1/2"),
            ("Alien³", "alien 3"),
            ("10¹²", "10 12"),
            ("H₂O", "h2o"),
            ("Rocky Ⅳ", "rocky iv"),
            ("ⅷ", "viii"),
            ("LEGO® Star Wars™", "lego star wars"),
            ("❤\u{fe0f}", "❤"),
            ("He\u{200b}a\u{feff}t\u{ad}", "heat"),
            ("a\u{2060}b\u{200d}c\u{e0100}", "abc"),
            ("WALL−E ‐ – — ― ﹣ － ⁃ ⸺ ➖", "wall-e - - - - - - - - -"),
            ("الرِسالة", "الرسالة"),
            ("الرســالة", "الرسالة"),
            ("أحمد", "احمد"),
            ("שָׁלוֹם", "שלום"),
            ("H\u{20dd}e\u{1ab0}a\u{fe20}t\u{483}", "heat"),
            ("Việt Nam", "viet nam"),
            ("फ़िल्म", "फिल्म"),
            ("Ｈｅａｔ（１９９５）", "heat(1995)"),
            ("【REC】", "[rec]"),
            ("ﬁn…", "fin..."),
            ("Æon Flux, Smørrebrød, Weiß", "aeon flux, smorrebrod, weiss"),
            ("Hawaiʻi ‛a′", "hawai'i 'a'"),
            ("Hunter × Hunter", "hunter x hunter"),
            ("İstanbul ısı", "istanbul isi"),
            ("기생충", "기생충"),
        ] {
            assert_eq!(
                fold(left),
                right.replace("기생충", &fold("기생충")),
                "{left}"
            );
            assert_eq!(fold(&fold(left)), fold(left), "{left} twice");
            assert_eq!(Folded::new(left, Fold::Spelling).text, fold(left), "{left}");
        }
        let decomposed: String = "기생충".nfd().collect();
        assert_eq!(fold(&decomposed), fold("기생충"));
    }

    #[test]
    fn marks_that_spell_stay() {
        for (left, right) in [
            ("ガ", "カ"),
            ("ぱ", "は"),
            ("कि", "का"),
            ("ก่", "ก"),
            ("ကို", "က"),
        ] {
            assert_ne!(fold(left), fold(right), "{left} and {right}");
        }
    }

    #[test]
    fn origins_point_back() {
        let folded = Folded::new("é👍e\u{301}x", Fold::Spelling);
        assert_eq!(folded.text, "e👍ex");
        assert_eq!(folded.original(0..1), Some(0..2));
        assert_eq!(folded.original(1..5), Some(2..6));
        // The accent that was folded away belongs to the letter before it.
        assert_eq!(folded.original(5..6), Some(6..9));
        assert_eq!(folded.original(6..7), Some(9..10));
        // One kana becomes two characters, of which the first alone is no part of the original.
        let folded = Folded::new("Aが", Fold::Spelling);
        assert_eq!((folded.text.len(), folded.original(1..4)), (7, None));
        assert_eq!(folded.original(0..7), Some(0..4));
    }
}
