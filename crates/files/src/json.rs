use std::path::Path;

use serde::de::DeserializeOwned;

use crate::{Error, Result, read_text};

/// Reads a file that holds one JSON value.
///
/// # Errors
/// [`Error::Io`], [`Error::NotText`], [`Error::Json`].
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&read_text(path)?).map_err(|source| Error::Json {
        path: path.to_owned(),
        source,
    })
}

/// Why one line is not the JSON expected: by its column, since the line's number in the file is the caller's to name.
///
/// ```
/// # use rerec_files::json_cause;
/// let cause = |line: &str| {
///     json_cause(&serde_json::from_str::<Vec<String>>(line).unwrap_err(), line.as_bytes())
/// };
/// assert_eq!(cause("[1]"), "invalid type: integer `1`, expected a string (column 2)");
/// // Half of an emoji, as Python's json writes a text that was cut between its halves.
/// assert_eq!(
///     cause(r#"["\ud83c"]"#),
///     r"lone surrogate `\ud83c`: half of a UTF-16 pair, which is no character (column 9)",
/// );
/// ```
pub fn json_cause(error: &serde_json::Error, line: &[u8]) -> String {
    if let Err(fault) = crate::text(line) {
        return fault.to_string();
    }
    let (text, column) = (error.to_string(), error.column());
    // The parser saw one line and always calls it line 1; the caller knows its number in the file.
    let suffix = format!(" at line {} column {column}", error.line());
    let Some(cause) = text.strip_suffix(&suffix) else {
        return text;
    };
    let surrogate = cause.contains("hex escape").then(|| lone_surrogate(line));
    match surrogate.flatten() {
        Some(escape) => format!(
            "lone surrogate `{escape}`: half of a UTF-16 pair, which is no character (column {column})"
        ),
        None => format!("{cause} (column {column})"),
    }
}

/// The first escape `\ud800` to `\udfff` that is not one of a pair.
fn lone_surrogate(line: &[u8]) -> Option<&str> {
    let mut rest = line;
    while let Some(start) = rest.iter().position(|&byte| byte == b'\\') {
        rest = &rest[start..];
        let length = match unit(rest) {
            // `unit` has read six bytes, so that the slices lie within the line.
            Some(0xd800..=0xdbff) if matches!(unit(&rest[6..]), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => return std::str::from_utf8(&rest[..6]).ok(),
            Some(_) => 6,
            // Any other escape: its second byte may be a backslash that begins nothing.
            None => rest.len().min(2),
        };
        rest = &rest[length..];
    }
    None
}

/// The number of an escape `\uXXXX` at the beginning.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(line: &[u8]) -> String {
        json_cause(
            &serde_json::from_slice::<Vec<String>>(line).unwrap_err(),
            line,
        )
    }

    #[test]
    fn lone_surrogates_are_named_wherever_they_stand() {
        for (line, escape) in [
            (r#"["so \ud83d"]"#, r"\ud83d"),
            (r#"["\uD83D!"]"#, r"\uD83D"),
            (r#"["\ude00"]"#, r"\ude00"),
            (r#"["\ud83d\ud83d\ude00"]"#, r"\ud83d"),
            (r#"["\ud83d\n"]"#, r"\ud83d"),
            (r#"["\ud83d\u0041"]"#, r"\ud83d"),
            (r#"["\ud83d\ude00 \\ud83d \udbff"]"#, r"\udbff"),
        ] {
            let cause = cause(line.as_bytes());
            assert!(
                cause.starts_with(&format!("lone surrogate `{escape}`: ")),
                "{cause}"
            );
        }
        assert!(serde_json::from_str::<Vec<String>>(r#"["\ud83d\ude00 \\ud83d"]"#).is_ok());
    }

    #[test]
    fn other_escapes_keep_their_fault() {
        assert!(cause(br#"["\u12"]"#).starts_with("invalid escape (column "));
        assert!(cause(br#"["\ud83"#).contains("column"));
        assert!(cause(br#"["\q"]"#).starts_with("invalid escape (column "));
    }

    #[test]
    fn other_encodings_are_named() {
        let utf16: Vec<u8> = "[\"a\"]"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(cause(&utf16).contains("UTF-16"), "{}", cause(&utf16));
        assert!(cause(b"[\"caf\xe9\"]").contains("Latin-1"));
    }
}
