//! Values as Python writes them: `str`, `repr` and `json.dumps`.

use std::fmt::Write;

use minijinja::{Error, ErrorKind, Value, value::ValueKind};

use super::{
    budget::{VALUE, charge},
    functions::Tuple,
};

/// Values within values: no template goes so deep.
const MAX_DEPTH: usize = 100;

pub(super) fn fault(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

/// `str(value)`, which is what a template prints.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        charge(text.len())?;
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    if !value.is_undefined() {
        represent(value, &mut out, 0)?;
    }
    Ok(out)
}

/// `repr(value)`.
pub(super) fn repr(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    represent(value, &mut out, 0)?;
    Ok(out)
}

fn represent(value: &Value, out: &mut String, depth: usize) -> Result<(), Error> {
    check_depth(depth)?;
    let before = out.len();
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::String => quote(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq | ValueKind::Iterable => {
            let tuple = value.downcast_object_ref::<Tuple>();
            out.push_str(if tuple.is_some() { "(" } else { "[" });
            for (index, item) in value.try_iter()?.enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                represent(&item, out, depth + 1)?;
            }
            out.push_str(match tuple {
                Some(tuple) if tuple.0.len() == 1 => ",)",
                Some(_) => ")",
                None => "]",
            });
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                represent(&key, out, depth + 1)?;
                out.push_str(": ");
                represent(&value.get_item(&key)?, out, depth + 1)?;
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
    // What the parts added was charged by them, and once more here: deep values cost more.
    charge(VALUE + out.len() - before)
}

fn check_depth(depth: usize) -> Result<(), Error> {
    match depth > MAX_DEPTH {
        true => Err(fault(format!("a value is nested deeper than {MAX_DEPTH}"))),
        false => Ok(()),
    }
}

pub(super) fn number(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(float) if !value.is_integer() => self::float(float),
        _ => value.to_string(),
    }
}

/// Shortest digits that read back the same; with an exponent below 1e-4 and from 1e16 on.
fn float(value: f64) -> String {
    if !value.is_finite() {
        return match (value.is_nan(), value > 0.0) {
            (true, _) => "nan",
            (false, true) => "inf",
            (false, false) => "-inf",
        }
        .to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{value:?}")
}

/// In single quotes, unless that spares escapes.
fn quote(text: &str, out: &mut String) {
    let mark = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    out.push(mark);
    for c in text.chars() {
        let code = c as u32;
        let _ = match c {
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            c if c == mark => write!(out, "\\{c}"),
            ' '..='~' => out.write_char(c),
            _ if is_printable(c) => out.write_char(c),
            _ if code < 0x100 => write!(out, "\\x{code:02x}"),
            _ if code < 0x1_0000 => write!(out, "\\u{code:04x}"),
            _ => write!(out, "\\U{code:08x}"),
        };
    }
    out.push(mark);
}

/// As far as texts in conversations go: no controls, separators, formats or private characters.
fn is_printable(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0001}'..='\u{e007f}'
    );
    let is_private = matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..);
    let is_unassigned = matches!(c, '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}');
    !(c.is_control() || c.is_whitespace() || is_format || is_private || is_unassigned)
}

/// The arguments of `json.dumps`.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) ensure_ascii: bool,
    /// What a level is indented by.
    pub(super) indent: Option<String>,
    pub(super) item_separator: String,
    pub(super) key_separator: String,
    pub(super) sort_keys: bool,
}

impl Dump {
    /// `json.dumps(value, …)`.
    pub(super) fn text(&self, value: &Value) -> Result<String, Error> {
        let mut out = String::new();
        self.write(value, &mut out, 0)?;
        Ok(out)
    }

    fn write(&self, value: &Value, out: &mut String, depth: usize) -> Result<(), Error> {
        check_depth(depth)?;
        let before = out.len();
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&json_number(value)),
            ValueKind::String => self.quote(value.as_str().unwrap_or_default(), out),
            ValueKind::Seq => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.block(out, ['[', ']'], items.len(), depth, |out, index| {
                    self.write(&items[index], out, depth + 1)
                })?;
            }
            ValueKind::Map => {
                let entries = self.entries(value)?;
                self.block(out, ['{', '}'], entries.len(), depth, |out, index| {
                    let (key, value) = &entries[index];
                    self.quote(key, out);
                    out.push_str(&self.key_separator);
                    self.write(value, out, depth + 1)
                })?;
            }
            kind => return Err(fault(format!("{kind} is not JSON serializable"))),
        }
        charge(VALUE + out.len() - before)
    }

    fn block(
        &self,
        out: &mut String,
        [open, close]: [char; 2],
        count: usize,
        depth: usize,
        mut one: impl FnMut(&mut String, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        out.push(open);
        for index in 0..count {
            if index > 0 {
                out.push_str(&self.item_separator);
            }
            self.new_line(out, depth + 1)?;
            one(out, index)?;
        }
        if count > 0 {
            self.new_line(out, depth)?;
        }
        out.push(close);
        Ok(())
    }

    fn new_line(&self, out: &mut String, depth: usize) -> Result<(), Error> {
        if let Some(indent) = &self.indent {
            charge(indent.len() * depth)?;
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
        Ok(())
    }

    fn entries(&self, value: &Value) -> Result<Vec<(String, Value)>, Error> {
        let mut entries = Vec::new();
        for key in value.try_iter()? {
            let name = match key.kind() {
                ValueKind::String => key.as_str().unwrap_or_default().to_owned(),
                ValueKind::Bool => (if key.is_true() { "true" } else { "false" }).to_owned(),
                ValueKind::None => "null".to_owned(),
                ValueKind::Number => json_number(&key),
                kind => return Err(fault(format!("a key must be a text, got {kind}"))),
            };
            entries.push((name, value.get_item(&key)?));
        }
        if self.sort_keys {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
        Ok(entries)
    }

    fn quote(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            let _ = match c {
                '"' => out.write_str("\\\""),
                '\\' => out.write_str("\\\\"),
                '\n' => out.write_str("\\n"),
                '\r' => out.write_str("\\r"),
                '\t' => out.write_str("\\t"),
                '\x08' => out.write_str("\\b"),
                '\x0c' => out.write_str("\\f"),
                '\0'..='\x1f' => write!(out, "\\u{:04x}", c as u32),
                '\x7f'.. if self.ensure_ascii => {
                    let mut units = [0; 2];
                    let units = c.encode_utf16(&mut units);
                    units
                        .iter()
                        .try_for_each(|unit| write!(out, "\\u{unit:04x}"))
                }
                c => out.write_char(c),
            };
        }
        out.push('"');
    }
}

fn json_number(value: &Value) -> String {
    match number(value).as_str() {
        "nan" => "NaN".to_owned(),
        "inf" => "Infinity".to_owned(),
        "-inf" => "-Infinity".to_owned(),
        number => number.to_owned(),
    }
}

/// Whether two values are equal, True being 1. Charged, since values may share parts and look the larger for it.
pub(super) fn equal(a: &Value, b: &Value, depth: usize) -> Result<bool, Error> {
    check_depth(depth)?;
    charge(VALUE)?;
    let as_number = |value: &Value| match value.kind() {
        ValueKind::Bool => Some(Value::from(i64::from(value.is_true()))),
        ValueKind::Number => Some(value.clone()),
        _ => None,
    };
    if let (Some(a), Some(b)) = (as_number(a), as_number(b)) {
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        charge(a.len().min(b.len()))?;
        return Ok(a == b);
    }
    match (a.kind(), b.kind()) {
        (ValueKind::Seq, ValueKind::Seq) if a.len() == b.len() => {
            let is_tuple = |value: &Value| value.downcast_object_ref::<Tuple>().is_some();
            let mut same = is_tuple(a) == is_tuple(b);
            for (a, b) in a.try_iter()?.zip(b.try_iter()?) {
                same = same && equal(&a, &b, depth + 1)?;
            }
            Ok(same)
        }
        (ValueKind::Map, ValueKind::Map) if a.len() == b.len() => {
            let mut same = true;
            for key in a.try_iter()? {
                let other = b.get_item(&key)?;
                same =
                    same && !other.is_undefined() && equal(&a.get_item(&key)?, &other, depth + 1)?;
            }
            Ok(same)
        }
        (ValueKind::Undefined, ValueKind::Undefined) | (ValueKind::None, ValueKind::None) => {
            Ok(true)
        }
        (ValueKind::Plain, ValueKind::Plain) => Ok(a == b),
        _ => Ok(false),
    }
}

/// Charges for every value within a value, as often as it occurs there.
pub(super) fn walk(value: &Value, depth: usize) -> Result<(), Error> {
    check_depth(depth)?;
    charge(value.as_str().map_or(VALUE, str::len))?;
    match value.kind() {
        ValueKind::Seq => value
            .try_iter()?
            .try_for_each(|item| walk(&item, depth + 1)),
        ValueKind::Map => value
            .try_iter()?
            .try_for_each(|key| walk(&value.get_item(&key)?, depth + 1)),
        _ => Ok(()),
    }
}
