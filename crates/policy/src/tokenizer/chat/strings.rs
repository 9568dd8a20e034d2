//! Python's methods of texts.

use minijinja::{Error, Value, value::ValueKind};

use super::{
    budget::{VALUE, charge},
    functions::{Arguments, Tuple, list},
    percent,
    python::fault,
};

/// White space to Python: Unicode's, and the four separators that Rust leaves out.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// What a line ends at.
fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// `text.name(…)`; none where texts have no such method.
pub(super) fn call(text: &str, name: &str, arguments: &Arguments) -> Result<Option<Value>, Error> {
    charge(text.len())?;
    let chars = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    let value = match name {
        "strip" => Value::from(strip(text, arguments, true, true)?),
        "lstrip" => Value::from(strip(text, arguments, true, false)?),
        "rstrip" => Value::from(strip(text, arguments, false, true)?),
        "upper" => Value::from(text.to_uppercase()),
        "lower" | "casefold" => Value::from(text.to_lowercase()),
        "capitalize" => Value::from(capitalize(text)),
        "title" => Value::from(title(text)),
        "swapcase" => Value::from(text.chars().map(swapped).collect::<String>()),
        "split" | "rsplit" => split(text, arguments, name == "rsplit")?,
        "splitlines" => list(lines(text, arguments.flag(0, "keepends")?)),
        "partition" | "rpartition" => partition(text, arguments.text(0)?, name == "rpartition")?,
        "join" => Value::from(join(text, arguments.value(0)?)?),
        "replace" => Value::from(replace(text, arguments)?),
        "startswith" => affix(text, arguments, |text, affix| text.starts_with(affix))?,
        "endswith" => affix(text, arguments, |text, affix| text.ends_with(affix))?,
        "removeprefix" => {
            let prefix = arguments.text(0)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let suffix = arguments.text(0)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "find" | "index" | "rfind" | "rindex" => find(text, arguments.text(0)?, name)?,
        "count" => {
            let part = arguments.text(0)?;
            let count = match part.is_empty() {
                true => text.chars().count() + 1,
                false => text.matches(part).count(),
            };
            Value::from(count)
        }
        "zfill" => Value::from(zero_filled(text, arguments.width(0)?)?),
        "ljust" | "rjust" | "center" => Value::from(justified(text, arguments, name)?),
        "expandtabs" => Value::from(text.replace('\t', "        ")),
        "isspace" => Value::from(chars(is_space)),
        "isdigit" | "isdecimal" | "isnumeric" => Value::from(chars(char::is_numeric)),
        "isalpha" => Value::from(chars(char::is_alphabetic)),
        "isalnum" => Value::from(chars(char::is_alphanumeric)),
        "isascii" => Value::from(text.is_ascii()),
        "isupper" => Value::from(is_cased(text, char::is_uppercase, char::is_lowercase)),
        "islower" => Value::from(is_cased(text, char::is_lowercase, char::is_uppercase)),
        "format" => Value::from(percent::format(text, arguments)?),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// Without the characters of the argument, or white space, at either end.
pub(super) fn strip(
    text: &str,
    arguments: &Arguments,
    start: bool,
    end: bool,
) -> Result<String, Error> {
    let given = arguments.optional_text(0)?;
    let goes = |c: char| given.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if start {
        text.trim_start_matches(goes)
    } else {
        text
    };
    Ok(if end {
        text.trim_end_matches(goes)
    } else {
        text
    }
    .to_owned())
}

/// The first character as a title, the others small.
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        None => String::new(),
        Some(first) => titled(first) + &chars.as_str().to_lowercase(),
    }
}

/// A character as the first of a word: of one that becomes several only the first is large, and digraphs have a form of their own.
fn titled(c: char) -> String {
    let mut large = false;
    let first = |c: char| {
        let was = large;
        large |= c.is_uppercase();
        match was {
            true => c.to_lowercase().collect(),
            false => c.to_string(),
        }
    };
    match c {
        'Ǆ'..='ǆ' => "ǅ".to_owned(),
        'Ǉ'..='ǉ' => "ǈ".to_owned(),
        'Ǌ'..='ǌ' => "ǋ".to_owned(),
        'Ǳ'..='ǳ' => "ǲ".to_owned(),
        c => c.to_uppercase().map(first).collect(),
    }
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        match inside {
            true => out.extend(c.to_lowercase()),
            false => out.push_str(&titled(c)),
        }
        inside = c.is_alphabetic();
    }
    out
}

fn swapped(c: char) -> String {
    match c.is_uppercase() {
        true => c.to_lowercase().collect(),
        false => c.to_uppercase().collect(),
    }
}

fn is_cased(text: &str, has: fn(char) -> bool, has_not: fn(char) -> bool) -> bool {
    text.chars().any(has) && !text.chars().any(has_not)
}

fn split(text: &str, arguments: &Arguments, from_end: bool) -> Result<Value, Error> {
    let separator = arguments.named_text(0, "sep")?;
    let most = arguments.named_number(1, "maxsplit")?.unwrap_or(-1);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    charge(text.len())?;
    let parts: Vec<String> = match separator {
        Some("") => return Err(fault("empty separator")),
        Some(separator) => split_by(text, separator, most, from_end),
        None => split_at_spaces(text, most, from_end),
    };
    charge(parts.len().saturating_mul(VALUE))?;
    Ok(list(parts))
}

fn split_by(text: &str, separator: &str, most: usize, from_end: bool) -> Vec<String> {
    let most = most.saturating_add(1);
    match from_end {
        false => text
            .splitn(most, separator)
            .map(ToOwned::to_owned)
            .collect(),
        true => {
            let parts = text.rsplitn(most, separator).map(ToOwned::to_owned);
            let mut parts: Vec<String> = parts.collect();
            parts.reverse();
            parts
        }
    }
}

fn split_at_spaces(text: &str, most: usize, from_end: bool) -> Vec<String> {
    let mut parts = Vec::new();
    // White space before a part goes, in the direction that is read; what is left over keeps its far end.
    let trimmed = |text: &'_ str| match from_end {
        true => text.trim_end_matches(is_space).len(),
        false => text.len() - text.trim_start_matches(is_space).len(),
    };
    let mut rest = text;
    loop {
        let at = trimmed(rest);
        rest = if from_end { &rest[..at] } else { &rest[at..] };
        if rest.is_empty() {
            break;
        }
        let cut = match (parts.len() < most, from_end) {
            (false, _) => None,
            (true, false) => rest.find(is_space).map(|at| (&rest[..at], &rest[at..])),
            (true, true) => rest
                .char_indices()
                .rfind(|(_, c)| is_space(*c))
                .map(|(at, c)| {
                    let behind = at + c.len_utf8();
                    (&rest[behind..], &rest[..behind])
                }),
        };
        let (part, left) = cut.unwrap_or((rest, ""));
        parts.push(part.to_owned());
        rest = left;
    }
    if from_end {
        parts.reverse();
    }
    parts
}

pub(super) fn lines(text: &str, keep_ends: bool) -> Vec<String> {
    let (mut lines, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (line, end) = match rest.find(is_line_end) {
            None => (rest.len(), rest.len()),
            Some(at) if rest[at..].starts_with("\r\n") => (at, at + 2),
            Some(at) => (at, at + rest[at..].chars().next().map_or(1, char::len_utf8)),
        };
        lines.push(rest[..if keep_ends { end } else { line }].to_owned());
        rest = &rest[end..];
    }
    lines
}

fn partition(text: &str, separator: &str, from_end: bool) -> Result<Value, Error> {
    if separator.is_empty() {
        return Err(fault("empty separator"));
    }
    let cut = match from_end {
        true => text.rsplit_once(separator),
        false => text.split_once(separator),
    };
    let parts = match (cut, from_end) {
        (Some((before, behind)), _) => [before, separator, behind],
        (None, false) => [text, "", ""],
        (None, true) => ["", "", text],
    };
    Ok(Value::from_object(Tuple(parts.map(Value::from).to_vec())))
}

/// The texts of a list with `separator` between.
pub(super) fn join(separator: &str, items: &Value) -> Result<String, Error> {
    let mut out = String::new();
    for (index, item) in super::functions::items(items)?.into_iter().enumerate() {
        let item = item
            .as_str()
            .ok_or_else(|| fault(format!("item {index} to join must be a text, got {item}")))?;
        charge(item.len() + separator.len())?;
        out.push_str(if index > 0 { separator } else { "" });
        out.push_str(item);
    }
    Ok(out)
}

fn replace(text: &str, arguments: &Arguments) -> Result<String, Error> {
    let (old, new) = (arguments.text(0)?, arguments.text(1)?);
    let most = arguments.named_number(2, "count")?.unwrap_or(-1);
    replaced(text, old, new, usize::try_from(most).ok())
}

/// At most so many of `old` as `new`; before each character and at the end where `old` is empty.
pub(super) fn replaced(
    text: &str,
    old: &str,
    new: &str,
    most: Option<usize>,
) -> Result<String, Error> {
    let found = match old.is_empty() {
        true => text.len() + 1,
        false => text.matches(old).count(),
    };
    let count = found.min(most.unwrap_or(usize::MAX));
    charge(text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, count))
}

fn affix(text: &str, arguments: &Arguments, has: fn(&str, &str) -> bool) -> Result<Value, Error> {
    let affixes = arguments.value(0)?;
    if let Some(affix) = affixes.as_str() {
        return Ok(Value::from(has(text, affix)));
    }
    if affixes.kind() != ValueKind::Seq {
        return Err(fault(format!(
            "expected a text or a tuple of texts, got {affixes}"
        )));
    }
    let mut any = affixes.try_iter()?;
    Ok(Value::from(
        any.any(|one| one.as_str().is_some_and(|one| has(text, one))),
    ))
}

fn find(text: &str, part: &str, name: &str) -> Result<Value, Error> {
    let found = match name.starts_with('r') {
        true => text.rfind(part),
        false => text.find(part),
    };
    match found {
        Some(at) => Ok(Value::from(text[..at].chars().count())),
        None if name.ends_with("find") => Ok(Value::from(-1)),
        None => Err(fault(format!("substring {part:?} not found"))),
    }
}

fn zero_filled(text: &str, width: usize) -> Result<String, Error> {
    let missing = width.saturating_sub(text.chars().count());
    charge(missing)?;
    let zeros = "0".repeat(missing);
    Ok(match text.strip_prefix(['+', '-']) {
        Some(digits) => format!("{}{zeros}{digits}", &text[..1]),
        None => zeros + text,
    })
}

fn justified(text: &str, arguments: &Arguments, name: &str) -> Result<String, Error> {
    let width = arguments.width(0)?;
    let fill = arguments.optional_text(1)?.unwrap_or(" ");
    let missing = width.saturating_sub(text.chars().count());
    charge(missing.saturating_mul(fill.len()))?;
    // As Python centres: the odd one goes to the left where the width is odd.
    let left = match name {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2 + (missing & width & 1),
    };
    Ok(fill.repeat(left) + text + &fill.repeat(missing - left))
}
