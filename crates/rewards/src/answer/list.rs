use std::borrow::Cow;
use std::ops::Range;

use rerec_text::{ends_in_reference, is_padding, unwrapped, year_of};
use serde_json::value::RawValue;

/// One entry of a list in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry<'a> {
    /// The entry, trimmed; for JSON without its escapes.
    pub text: Cow<'a, str>,
    /// Where it stands, by bytes of the whole text.
    pub span: Range<usize>,
    /// The same with the markup around it.
    written: Range<usize>,
}

impl ListEntry<'_> {
    /// The entry with the markup around it.
    pub(super) fn written<'a>(&'a self, whole: &'a str) -> &'a str {
        match &self.text {
            Cow::Borrowed(_) => &whole[self.written.clone()],
            // Only JSON is owned: in the text it still has its escapes.
            Cow::Owned(text) => text,
        }
    }
}

/// Splits a part of a text into the entries of a list, in order; blank entries are dropped.
///
/// The notation is the first that fits of: a JSON array of strings, `[SEP]`, `;` and lines, numbers `1. … 2. …` or `[1] … [2] …`. Numbers
/// and bullets before an entry, and markup such as `\text{…}` or `**…**` around it, do not belong to it. The semicolons of
/// `&amp;` and of LaTeX's space `\;` separate nothing. Text in none of these notations is one entry.
///
/// ```
/// # use rerec_rewards::list_entries;
/// for list in ["Alien; Heat;", "Alien [SEP] Heat", "- Alien\n- Heat", "[1] Alien [2] Heat", r#"["Alien", "Heat"]"#] {
///     let entries = list_entries(list, 0..list.len());
///     assert_eq!(entries.iter().map(|entry| &*entry.text).collect::<Vec<_>>(), ["Alien", "Heat"]);
///     assert_eq!(&list[entries[1].span.clone()], "Heat");
/// }
/// ```
///
/// # Panics
/// If the range does not lie within the text, on character boundaries.
pub fn list_entries(text: &str, part: Range<usize>) -> Vec<ListEntry<'_>> {
    // JSON first: its strings may hold every other separator.
    if let Some(entries) = json_entries(text, part.clone()) {
        return entries;
    }
    let list = &text[part.clone()];
    let pieces: Vec<&str> = if list.contains("[SEP]") {
        list.split("[SEP]").collect()
    } else if list.contains([';', '\n', '\r']) {
        split_separators(list)
    } else {
        split_numbers(list)
    };
    pieces
        .into_iter()
        .filter_map(|piece| entry(text, part.start + offset(list, piece), piece.len()))
        .collect()
}

/// The titles of a list that nothing is known about, such as a ground truth "Heat (1995); Casino (1995)" without a catalogue.
///
/// A semicolon that no blank follows belongs to a title, as in "Steins;Gate", unless a year ends each entry.
///
/// ```
/// # use rerec_rewards::list_titles;
/// assert_eq!(list_titles("Steins;Gate; Heat"), ["Steins;Gate", "Heat"]);
/// assert_eq!(list_titles("Heat (1995);Casino (1995)"), ["Heat (1995)", "Casino (1995)"]);
/// ```
pub fn list_titles(text: &str) -> Vec<String> {
    let entries = list_entries(text, unwrapped(text, 0..text.len()));
    // The years tell "Heat (1995);Casino (1995)" from "Steins;Gate": neither has a blank.
    let dated = entries.iter().all(|entry| year_of(&entry.text).is_some());
    let mut titles: Vec<(String, usize)> = Vec::with_capacity(entries.len());
    for entry in entries {
        match titles.last_mut() {
            Some((title, end)) if !dated && text.get(*end..entry.span.start) == Some(";") => {
                title.push(';');
                title.push_str(&entry.text);
                *end = entry.span.end;
            }
            _ => titles.push((entry.text.into_owned(), entry.span.end)),
        }
    }
    titles.into_iter().map(|(title, _)| title).collect()
}

fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

fn split_separators(list: &str) -> Vec<&str> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    for (at, sign) in list.match_indices([';', '\n', '\r']) {
        let belongs =
            sign == ";" && (list[..at].ends_with('\\') || ends_in_reference(&list[..=at]));
        if !belongs {
            pieces.push(&list[start..at]);
            start = at + 1;
        }
    }
    pieces.push(&list[start..]);
    pieces
}

fn entry(text: &str, start: usize, len: usize) -> Option<ListEntry<'_>> {
    // Unwrapped twice, since the number may stand inside the markup, "**1. Heat**", or before it,
    // "1. **Heat**".
    let span = unwrapped(text, start..start + len);
    let marker = marker_len(&text[span.clone()]);
    let written = if marker == 0 {
        start..start + len
    } else {
        span.start + marker..span.end
    };
    let span = unwrapped(text, written.clone());
    (!span.is_empty()).then(|| ListEntry {
        text: text[span.clone()].into(),
        span,
        written,
    })
}

/// Length of "1. ", "(2) ", "[3]", "- " and the like at the start of an entry.
fn marker_len(entry: &str) -> usize {
    // Prompts number their options so, and models copy the number with the title.
    if let Some(after) = after_bracketed_number(entry) {
        return entry.len() - after.len();
    }
    let digits = entry.strip_prefix('(').unwrap_or(entry);
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    let after = match digits.len() - rest.len() {
        0 => entry.strip_prefix(['-', '*', '•', '–']),
        // Four digits are a year or a title: "1984. A classic".
        1..=3 => rest.strip_prefix(['.', ')']),
        _ => None,
    };
    after
        .filter(|after| after.starts_with(char::is_whitespace))
        .map_or(0, |after| entry.len() - after.len())
}

/// What follows "[3]"; nothing where that is all, as then no title is left.
fn after_bracketed_number(entry: &str) -> Option<&str> {
    let digits = entry.strip_prefix('[')?;
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_number = (1..=3).contains(&(digits.len() - rest.len()));
    let after = rest.strip_prefix(']').filter(|_| is_number)?;
    (!after.trim().is_empty()).then_some(after)
}

/// Splits "1. A 2. B" and "[1] A [2] B" before each number that continues the count.
fn split_numbers(list: &str) -> Vec<&str> {
    // What stands before and behind a number.
    const SIGNS: [(&str, &str); 3] = [("", ". "), ("", ") "), ("[", "]")];
    let mut pieces = Vec::new();
    let mut rest = list;
    if let Some((before, behind)) = SIGNS
        .into_iter()
        .find(|(before, behind)| list.starts_with(&format!("{before}1{behind}")))
    {
        // Only the next number of the count begins an entry: in "1. Apollo 13 2. Heat" the 13 does
        // not. Each search goes on where the last one ended, and so they are linear together.
        for number in 2.. {
            let Some(at) = rest.find(&format!(" {before}{number}{behind}")) else {
                break;
            };
            pieces.push(&rest[..at]);
            rest = &rest[at + 1..];
        }
    }
    pieces.push(rest);
    pieces
}

fn json_entries(text: &str, part: Range<usize>) -> Option<Vec<ListEntry<'_>>> {
    let list = &text[part.clone()];
    if !list.starts_with('[') || !list.ends_with(']') {
        return None;
    }
    // Raw values lie in the text, which tells the place of each.
    let strings: Vec<&RawValue> = serde_json::from_str(list).ok()?;
    let entries = strings
        .into_iter()
        .map(|raw| json_entry(raw.get(), part.start + offset(list, raw.get())));
    let mut entries: Vec<_> = entries.collect::<Option<_>>()?;
    entries.retain(|entry| !entry.text.is_empty());
    Some(entries)
}

fn json_entry(raw: &str, start: usize) -> Option<ListEntry<'_>> {
    let string: String = serde_json::from_str(raw).ok()?;
    let text = string.trim_matches(is_padding).to_owned();
    let written = raw.strip_prefix('"')?.strip_suffix('"')?;
    let written = written.trim_matches(is_padding);
    let start = start + offset(raw, written);
    let span = start..start + written.len();
    Some(ListEntry {
        text: text.into(),
        written: span.clone(),
        span,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &str) -> Vec<String> {
        list_entries(list, 0..list.len())
            .into_iter()
            .map(|entry| entry.text.into_owned())
            .collect()
    }

    #[test]
    fn every_notation_is_read() {
        for (list, expected) in [
            ("A", vec!["A"]),
            ("A;B ; ;C;", vec!["A", "B", "C"]),
            ("[SEP] A; b [SEP] B", vec!["A; b", "B"]),
            ("1) A\r\n2) B\r\n", vec!["A", "B"]),
            ("A; B\nC;\nD", vec!["A", "B", "C", "D"]),
            ("(1) A\n(2) B", vec!["A", "B"]),
            ("• A\n* B\n– C", vec!["A", "B", "C"]),
            ("1. A 2. B 3. C", vec!["A", "B", "C"]),
            ("[1] A", vec!["A"]),
            ("[2]B (1990); [3] C", vec!["B (1990)", "C"]),
            ("[1] A [2] B", vec!["A", "B"]),
            ("[7]", vec!["[7]"]),
            ("1. A 3. B", vec!["A 3. B"]),
            (r"\text{A}; \text{B}", vec!["A", "B"]),
            (r"1. \text{A}; 2. B", vec!["A", "B"]),
            (r#"["A; b", " ", "caf\u00e9"]"#, vec!["A; b", "café"]),
            (r#"["A", 3]"#, vec![r#"["A", 3]"#]),
            ("[REC] (2007)", vec!["[REC] (2007)"]),
            ("2001: A Space Odyssey", vec!["2001: A Space Odyssey"]),
            (
                "10 Things I Hate About You; 1984",
                vec!["10 Things I Hate About You", "1984"],
            ),
            (" ; ", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(texts(list), expected, "{list}");
        }
    }

    #[test]
    fn spans_are_bytes_of_the_whole_text() {
        let text = "é \\boxed{1. Amélie; [x]}";
        let entries = list_entries(text, 10..text.len() - 1);
        assert_eq!(
            entries
                .iter()
                .map(|entry| &text[entry.span.clone()])
                .collect::<Vec<_>>(),
            ["Amélie", "[x]"]
        );
        let json = r#"[" Heat ", "Alien"]"#;
        let entries = list_entries(json, 0..json.len());
        assert_eq!(&json[entries[0].span.clone()], "Heat");
        assert_eq!(&json[entries[1].span.clone()], "Alien");
    }
}
