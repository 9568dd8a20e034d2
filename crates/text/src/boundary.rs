//! Where a word may begin or end.

use unicode_normalization::char::is_combining_mark;

/// Whether a name may begin or end between two characters.
///
/// Han, Hiragana, Hangul, Thai, Lao, Khmer and Myanmar run words together (Korean joins particles
/// to a name), so a name may stand anywhere in them; a run of Katakana is one word, like one of
/// letters. No name ends before a mark or inside a syllable of Hangul written in its letters.
///
/// ```
/// use rerec_text::is_boundary;
///
/// assert!(is_boundary(Some(' '), Some('a')));
/// assert!(!is_boundary(Some('o'), Some('d')));
/// assert!(is_boundary(Some('看'), Some('英')));
/// ```
pub fn is_boundary(before: Option<char>, after: Option<char>) -> bool {
    if before.is_some() && after.is_some_and(continues) {
        return false;
    }
    match (
        before.map_or(Script::None, script),
        after.map_or(Script::None, script),
    ) {
        (Script::None | Script::Unspaced, _) | (_, Script::None | Script::Unspaced) => true,
        // A run of Katakana beside letters is another word, though no space stands between them.
        (before, after) => before != after,
    }
}

/// Whether a character never begins anything: a combining mark, a vowel or final consonant of decomposed Hangul.
fn continues(c: char) -> bool {
    matches!(c, '\u{1160}'..='\u{11FF}') || !c.is_ascii() && is_combining_mark(c)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    /// No part of a word.
    None,
    /// Letters and digits of scripts that put spaces between words.
    Spaced,
    Katakana,
    Unspaced,
}

fn script(c: char) -> Script {
    match c {
        '0'..='9' | 'A'..='Z' | 'a'..='z' => Script::Spaced,
        '\0'..='\x7F' => Script::None,
        '\u{30A1}'..='\u{30FA}' | '\u{30FC}'..='\u{30FF}' => Script::Katakana,
        '\u{0E00}'..='\u{0EFF}'      // Thai, Lao
        | '\u{1000}'..='\u{109F}'    // Myanmar
        | '\u{1100}'..='\u{11FF}'    // Hangul Jamo
        | '\u{1780}'..='\u{17FF}'    // Khmer
        | '\u{3040}'..='\u{309F}'    // Hiragana
        | '\u{3400}'..='\u{4DBF}'    // Han, extension A
        | '\u{4E00}'..='\u{9FFF}'    // Han
        | '\u{AC00}'..='\u{D7AF}'    // Hangul
        | '\u{F900}'..='\u{FAFF}'    // Han, compatibility
        | '\u{20000}'..='\u{3FFFF}'  // Han, further extensions
        => Script::Unspaced,
        _ if c.is_alphanumeric() => Script::Spaced,
        _ => Script::None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_boundary;

    #[test]
    fn boundaries() {
        for (before, after, expected) in [
            (None, Some('a'), true),
            (Some(' '), Some('a'), true),
            (Some('o'), Some('o'), false),
            (Some('é'), Some('a'), false),
            (Some('看'), Some('英'), true),
            (Some('t'), Some('은'), true),
            (Some('ト'), Some('ー'), false),
            (Some('e'), Some('ケ'), true),
            (Some(')'), Some('.'), true),
        ] {
            assert_eq!(is_boundary(before, after), expected, "{before:?} {after:?}");
        }
    }
}
