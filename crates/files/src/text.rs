use std::fs;
use std::path::Path;

use crate::{Error, Result};

/// Bytes at the beginning of a file that tell its encoding.
const SAMPLE: usize = 1024;

/// Why bytes are not text in UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotText {
    /// The text is in another encoding of Unicode.
    #[error(
        "the text is in {encoding}, need UTF-8; convert it, as by `iconv -f {encoding} -t UTF-8`"
    )]
    Encoding {
        /// Its name: `UTF-16LE`, `UTF-16BE`, `UTF-32LE`, `UTF-32BE`.
        encoding: &'static str,
    },
    /// Half of a UTF-16 pair, written as if it were a character.
    #[error("line {line} holds a lone surrogate: half of a UTF-16 pair, which is no character")]
    LoneSurrogate {
        /// The line, from 1.
        line: usize,
    },
    /// A byte that UTF-8 does not have there, as in Latin-1.
    #[error(
        "line {line} has byte 0x{byte:02X}, which is not UTF-8 there; if the text is in Latin-1, convert it, as by `iconv -f LATIN1 -t UTF-8`"
    )]
    Byte {
        /// The line, from 1.
        line: usize,
        /// The byte.
        byte: u8,
    },
}

/// The bytes of a file.
///
/// # Errors
/// [`Error::Io`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::reading(path))
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// [`Error::Io`], [`Error::NotText`].
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = read(path)?;
    match text(&bytes) {
        // Only a text that lost its mark is copied; any other takes over the bytes, which were
        // checked, so that the default below is never used.
        Ok(text) if text.len() < bytes.len() => Ok(text.to_owned()),
        Ok(_) => Ok(String::from_utf8(bytes).unwrap_or_default()),
        Err(source) => Err(Error::NotText {
            path: path.to_owned(),
            source,
        }),
    }
}

/// UTF-8 text, without a byte order mark.
///
/// ```
/// use rerec_files::text;
/// assert_eq!(text(b"\xEF\xBB\xBFHeat"), Ok("Heat"));
/// let refused = text(b"H\0e\0a\0t\0").unwrap_err().to_string();
/// assert!(refused.starts_with("the text is in UTF-16LE, need UTF-8"));
/// let refused = text(b"Am\xE9lie").unwrap_err().to_string();
/// assert!(refused.starts_with("line 1 has byte 0xE9, which is not UTF-8 there; if the text is in Latin-1"));
/// ```
///
/// # Errors
/// What the bytes are instead.
pub fn text(bytes: &[u8]) -> Result<&str, NotText> {
    let checked = std::str::from_utf8(bytes);
    // Checked first: ASCII text in UTF-16 without a mark is valid UTF-8 too, with zero bytes in
    // between.
    if let Some(encoding) = other_unicode(bytes, checked.is_ok()) {
        return Err(NotText::Encoding { encoding });
    }
    let text = checked.map_err(|error| {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        match *rest {
            // What CESU-8 and careless encoders make of half a pair.
            [0xED, 0xA0..=0xBF, ..] => NotText::LoneSurrogate { line },
            [byte, ..] => NotText::Byte { line, byte },
            [] => NotText::Byte { line, byte: 0 },
        }
    })?;
    Ok(without_mark(text))
}

/// Every line that is not blank, with its number from 1.
///
/// Marks at the beginning of a line are left out: files that each began with one may have been joined.
///
/// ```
/// let lines: Vec<_> = rerec_files::lines("a\r\n\n\u{feff}b\n").collect();
/// assert_eq!(lines, [(1, "a"), (3, "b")]);
/// ```
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines().map(without_mark));
    lines.filter(|(_, line)| !line.trim().is_empty())
}

fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

/// The encoding that a mark names or, without one, that zero bytes betray: text in UTF-8 holds none.
fn other_unicode(bytes: &[u8], is_utf8: bool) -> Option<&'static str> {
    // The mark of UTF-32LE begins with that of UTF-16LE, so the longer ones come first.
    match bytes {
        [0xFF, 0xFE, 0, 0, ..] => return Some("UTF-32LE"),
        [0, 0, 0xFE, 0xFF, ..] => return Some("UTF-32BE"),
        [0xFF, 0xFE, ..] => return Some("UTF-16LE"),
        [0xFE, 0xFF, ..] => return Some("UTF-16BE"),
        _ => {}
    }
    // Four counts by position: which ones are zero tells the width of a unit and the order of its bytes.
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let mut zeros = [0; 4];
    for (position, _) in sample.iter().enumerate().filter(|(_, byte)| **byte == 0) {
        zeros[position % 4] += 1;
    }
    // Valid UTF-8 with a stray zero stays what it is; in UTF-16, Latin letters make every other byte zero.
    let few = if is_utf8 { sample.len() / 8 } else { 0 };
    let [a, b, c, d] = zeros.map(|count| count > few);
    match (a, b, c, d) {
        (false, _, true, true) => Some("UTF-32LE"),
        (true, true, _, false) => Some("UTF-32BE"),
        (false, b, false, d) if b || d => Some("UTF-16LE"),
        (a, false, c, false) if a || c => Some("UTF-16BE"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, unit: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    fn encoding(bytes: &[u8]) -> Option<&'static str> {
        match text(bytes) {
            Err(NotText::Encoding { encoding }) => Some(encoding),
            _ => None,
        }
    }

    #[test]
    fn utf_16_and_32_are_named_with_and_without_a_mark() {
        for sample in ["u\ti\n", "用户\t项目\n", "{\"id\": 1}", "Amélie\tParis\n"] {
            for marked in [sample.to_owned(), format!("\u{feff}{sample}")] {
                let le = encoded(&marked, u16::to_le_bytes);
                let be = encoded(&marked, u16::to_be_bytes);
                assert_eq!(encoding(&le), Some("UTF-16LE"), "{marked:?}");
                assert_eq!(encoding(&be), Some("UTF-16BE"), "{marked:?}");
            }
        }
        let wide = |bytes: fn(u32) -> [u8; 4]| -> Vec<u8> {
            "Heat\t1".chars().flat_map(|c| bytes(c as u32)).collect()
        };
        assert_eq!(encoding(&wide(u32::to_le_bytes)), Some("UTF-32LE"));
        assert_eq!(encoding(&wide(u32::to_be_bytes)), Some("UTF-32BE"));
    }

    #[test]
    fn utf_8_stays_what_it_is() {
        for sample in [
            "",
            "a",
            "Amélie",
            "用户\t项目",
            "a stray \0 zero",
            "\u{1F3AC}",
        ] {
            assert_eq!(text(sample.as_bytes()), Ok(sample));
            let marked = format!("\u{feff}{sample}");
            assert_eq!(text(marked.as_bytes()), Ok(sample));
        }
    }

    #[test]
    fn the_first_fault_is_named() {
        assert_eq!(
            text(b"ok\n\xED\xA0\xBD!"),
            Err(NotText::LoneSurrogate { line: 2 })
        );
        assert_eq!(
            text(b"caf\xE9"),
            Err(NotText::Byte {
                line: 1,
                byte: 0xE9
            })
        );
    }

    #[test]
    fn a_file_loses_its_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "\u{feff}a").unwrap();
        assert_eq!(read_text(&path).unwrap(), "a");
        fs::write(&path, "a").unwrap();
        assert_eq!(read_text(&path).unwrap(), "a");
        fs::write(&path, b"\xFF\xFEa\0").unwrap();
        let refused = read_text(&path).unwrap_err();
        assert!(refused.to_string().ends_with("a is not UTF-8 text"));
        assert!(std::error::Error::source(&refused).is_some());
    }
}
