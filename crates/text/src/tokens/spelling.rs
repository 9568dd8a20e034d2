//! How the tokens of a vocabulary are spelt, told by its decoder.

use serde_json::Value;

use crate::error::{Error, Result};

/// How a vocabulary spells its tokens.
#[derive(Debug)]
pub(super) enum Spelling {
    /// Each byte as one printable character.
    ByteLevel,
    /// A mark in place of spaces, perhaps `<0x0A>` for single bytes.
    Metaspace {
        mark: String,
        byte_fallback: bool,
        /// Whether the first token of a text loses its marks.
        bare_start: bool,
        /// How many spaces a text loses at its start.
        stripped: usize,
    },
    /// A space before every word, a prefix before what continues one.
    WordPiece { prefix: String, cleanup: bool },
}

impl Spelling {
    /// The spelling of a vocabulary with this decoder, in the form of a tokenizer.json.
    pub(super) fn of(decoder: Option<&Value>) -> Result<Self> {
        let parts = decoder.map(parts).unwrap_or_default();
        Self::of_parts(&parts).ok_or_else(|| Error::UnknownDecoder {
            decoder: names(&parts),
        })
    }

    /// What decoders in their order make of tokens; none if a part or a setting of one is not known here.
    fn of_parts(parts: &[&Value]) -> Option<Self> {
        let kinds: Vec<&str> = parts
            .iter()
            .filter_map(|part| part["type"].as_str())
            .collect();
        match (&kinds[..], parts) {
            (["ByteLevel"] | ["ByteLevel", "Fuse"], _) => Some(Self::ByteLevel),
            (["WordPiece"], [part]) => Some(Self::WordPiece {
                prefix: part["prefix"].as_str().unwrap_or("##").to_owned(),
                cleanup: part["cleanup"] == true,
            }),
            (["Metaspace"] | ["Metaspace", "Fuse"], [part, ..]) => Some(Self::Metaspace {
                mark: part["replacement"].as_str().unwrap_or("▁").to_owned(),
                byte_fallback: false,
                // A key that is absent is null and equals neither: older files have the second one,
                // newer files the first.
                bare_start: part["prepend_scheme"] != "never" && part["add_prefix_space"] != false,
                stripped: 0,
            }),
            (["Replace", rest @ ..], [replace, ..]) => {
                let byte_fallback = rest.first() == Some(&"ByteFallback");
                let stripped = match &rest[usize::from(byte_fallback)..] {
                    [] | ["Fuse"] => 0,
                    // Only of the fused text: a strip before it takes spaces off each token.
                    ["Fuse", "Strip"] => stripped(parts.last()?)?,
                    _ => return None,
                };
                let to_space = replace["content"] == " ";
                let mark = replace["pattern"]["String"].as_str().filter(|_| to_space)?;
                Some(Self::Metaspace {
                    mark: mark.to_owned(),
                    byte_fallback,
                    bare_start: false,
                    stripped,
                })
            }
            _ => None,
        }
    }

    pub(super) fn stripped(&self) -> usize {
        match self {
            Self::Metaspace { stripped, .. } => *stripped,
            _ => 0,
        }
    }

    /// The bytes that a token adds, as the first of a text or after others.
    pub(super) fn bytes(&self, token: &str, first: bool) -> Result<Vec<u8>> {
        Ok(match self {
            Self::ByteLevel => {
                let bytes: Option<Vec<u8>> = token.chars().map(byte_of).collect();
                bytes.ok_or_else(|| Error::NotBytes {
                    token: token.to_owned(),
                })?
            }
            Self::Metaspace {
                mark,
                byte_fallback,
                bare_start,
                ..
            } => match fallback_byte(token).filter(|_| *byte_fallback) {
                Some(byte) => vec![byte],
                None => token
                    .replace(mark, if first && *bare_start { "" } else { " " })
                    .into(),
            },
            Self::WordPiece { .. } if token.is_empty() => Vec::new(),
            Self::WordPiece {
                prefix,
                cleanup: clean,
            } => {
                let text = match (first, token.strip_prefix(prefix)) {
                    (true, _) => token.to_owned(),
                    (false, Some(rest)) => rest.to_owned(),
                    (false, None) => format!(" {token}"),
                };
                if *clean {
                    cleaned_up(text).into()
                } else {
                    text.into()
                }
            }
        })
    }
}

/// What the clean-up of a WordPiece decoder makes of the text that a token adds: no space before punctuation and contractions.
fn cleaned_up(text: String) -> String {
    const REPLACED: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    let replace = |text: String, (from, to): (&str, &str)| text.replace(from, to);
    REPLACED.into_iter().fold(text, replace)
}

/// The spaces that a strip takes off the start of a text; none if it takes off anything else.
fn stripped(strip: &Value) -> Option<usize> {
    let only_start = strip["content"] == " " && strip["stop"] == 0;
    strip["start"]
        .as_u64()
        .filter(|_| only_start)?
        .try_into()
        .ok()
}

/// The kinds of decoders, with the settings of those that have been seen to vary.
fn names(parts: &[&Value]) -> String {
    let name = |part: &&Value| match part["type"].as_str() {
        Some("Replace" | "Strip") | None => part.to_string(),
        Some(kind) => kind.to_owned(),
    };
    parts.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A decoder, or the decoders it is made of.
fn parts(decoder: &Value) -> Vec<&Value> {
    match decoder["decoders"].as_array() {
        Some(parts) => parts.iter().flat_map(self::parts).collect(),
        None => vec![decoder],
    }
}

/// The byte that a character of the byte-level alphabet stands for: printable ones stand for
/// themselves, the others follow from U+0100 on.
fn byte_of(c: char) -> Option<u8> {
    let stands_for_itself = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    match u32::from(c) {
        code @ 0..=0xFF => u8::try_from(code).ok().filter(stands_for_itself),
        code => {
            let mut others = (0..=0xFF_u8).filter(|byte| !stands_for_itself(byte));
            others.nth(usize::try_from(code - 0x100).ok()?)
        }
    }
}

/// The byte that a token such as `<0x0A>` stands for.
fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 {
        u8::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_character() {
        let mut bytes: Vec<u8> = (0..0x144)
            .filter_map(char::from_u32)
            .filter_map(byte_of)
            .collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=0xFF).collect::<Vec<u8>>());
        assert_eq!(
            (byte_of('Ġ'), byte_of('Ċ'), byte_of('ń')),
            (Some(b' '), Some(b'\n'), None)
        );
    }
}
