//! Python's two ways to fill in a text: `"%s" % x` and `"{}".format(x)`.

use minijinja::{Error, Value, value::ValueKind};

use super::{
    budget::charge,
    functions::{Arguments, Tuple},
    python::{self, fault},
};

/// Flags, width and precision of a conversion.
#[derive(Debug, Default)]
struct Spec {
    flags: String,
    width: usize,
    precision: Option<usize>,
}

impl Spec {
    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn padded(&self, text: &str, is_number: bool) -> Result<String, Error> {
        let missing = self.width.saturating_sub(text.chars().count());
        charge(missing)?;
        Ok(if self.has('-') {
            format!("{text}{}", " ".repeat(missing))
        } else if self.has('0') && is_number {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
            format!("{sign}{}{digits}", "0".repeat(missing))
        } else {
            format!("{}{text}", " ".repeat(missing))
        })
    }

    fn signed(&self, number: String) -> String {
        match (number.starts_with('-'), self.has('+'), self.has(' ')) {
            (false, true, _) => format!("+{number}"),
            (false, false, true) => format!(" {number}"),
            _ => number,
        }
    }
}

/// `template % value`.
pub(super) fn percent(template: &str, value: &Value) -> Result<String, Error> {
    let mut values: Vec<Value> = match value.downcast_object_ref::<Tuple>() {
        Some(tuple) => tuple.0.clone(),
        None => vec![value.clone()],
    };
    values.reverse();
    let is_map = value.kind() == ValueKind::Map;
    let (mut out, mut rest) = (String::new(), template);
    while let Some((before, behind)) = rest.split_once('%') {
        out.push_str(before);
        let (name, behind) = match behind.strip_prefix('(') {
            Some(named) => named
                .split_once(')')
                .ok_or_else(|| fault("incomplete format key"))?,
            None => ("", behind),
        };
        let (spec, kind, behind) = conversion(behind)?;
        rest = behind;
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = match name.is_empty() {
            true => values
                .pop()
                .ok_or_else(|| fault("not enough arguments for format string"))?,
            false => value.get_item(&Value::from(name))?,
        };
        out.push_str(&converted(&spec, kind, &value)?);
        charge(out.len())?;
    }
    if !values.is_empty() && !is_map {
        return Err(fault(
            "not all arguments converted during string formatting",
        ));
    }
    out.push_str(rest);
    Ok(out)
}

fn conversion(text: &str) -> Result<(Spec, char, &str), Error> {
    let mut spec = Spec::default();
    let mut rest = text.trim_start_matches(['-', '+', ' ', '#', '0']);
    spec.flags = text[..text.len() - rest.len()].to_owned();
    let mut digits = || -> Result<Option<usize>, Error> {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(end);
        rest = behind;
        let number = |_| fault(format!("{digits} is too wide"));
        (!digits.is_empty())
            .then(|| digits.parse().map_err(number))
            .transpose()
    };
    spec.width = digits()?.unwrap_or_default();
    if let Some(behind) = rest.strip_prefix('.') {
        let end = behind
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(behind.len());
        let precision = behind[..end].parse::<u16>().unwrap_or_default();
        spec.precision = Some(precision.into());
        rest = &behind[end..];
    }
    let kind = rest
        .chars()
        .next()
        .ok_or_else(|| fault("incomplete format"))?;
    Ok((spec, kind, &rest[kind.len_utf8()..]))
}

fn converted(spec: &Spec, kind: char, value: &Value) -> Result<String, Error> {
    let cut = |text: String| match spec.precision {
        Some(most) => text.chars().take(most).collect(),
        None => text,
    };
    match kind {
        's' => spec.padded(&cut(python::text(value)?), false),
        'r' => spec.padded(&cut(python::repr(value)?), false),
        'd' | 'i' | 'u' => {
            let number = whole(value)?;
            spec.padded(&spec.signed(number.to_string()), true)
        }
        'x' => spec.padded(&format!("{:x}", whole(value)?), true),
        'X' => spec.padded(&format!("{:X}", whole(value)?), true),
        'o' => spec.padded(&format!("{:o}", whole(value)?), true),
        'f' | 'F' => {
            let number = f64::try_from(value.clone()).map_err(|_| not_a_number(value))?;
            let number = format!("{number:.*}", spec.precision.unwrap_or(6));
            spec.padded(&spec.signed(number), true)
        }
        other => Err(fault(format!("unsupported format character {other:?}"))),
    }
}

fn whole(value: &Value) -> Result<i128, Error> {
    let number = match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        ValueKind::Number => f64::try_from(value.clone()).ok().map(|x| x.trunc() as i128),
        _ => None,
    };
    number.ok_or_else(|| not_a_number(value))
}

fn not_a_number(value: &Value) -> Error {
    fault(format!("a number is required, not {}", value.kind()))
}

/// `template.format(…)`: `{}`, `{0}`, `{name}`, with `!r` and `:` behind for width, sign, precision and kind.
pub(super) fn format(template: &str, arguments: &Arguments) -> Result<String, Error> {
    let (mut out, mut next, mut chars) = (String::new(), Next::Open, template.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => {
                chars.next();
                out.push(c);
            }
            '{' => {
                let field: String = chars.by_ref().take_while(|c| *c != '}').collect();
                out.push_str(&filled(&field, arguments, &mut next)?);
                charge(out.len())?;
            }
            '}' => return Err(fault("single '}' encountered in format string")),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// How fields find their argument: all by their own number, or all in turn.
#[derive(Debug)]
enum Next {
    Open,
    InTurn(usize),
    ByNumber,
}

impl Next {
    fn in_turn(&mut self) -> Result<usize, Error> {
        let index = match self {
            Self::Open => 0,
            Self::InTurn(last) => *last + 1,
            Self::ByNumber => return Err(mixed()),
        };
        *self = Self::InTurn(index);
        Ok(index)
    }

    fn by_number(&mut self) -> Result<(), Error> {
        match self {
            Self::InTurn(_) => Err(mixed()),
            _ => {
                *self = Self::ByNumber;
                Ok(())
            }
        }
    }
}

fn mixed() -> Error {
    fault("fields with and without numbers cannot be mixed")
}

fn filled(field: &str, arguments: &Arguments, next: &mut Next) -> Result<String, Error> {
    let (place, spec) = field.split_once(':').unwrap_or((field, ""));
    let (name, conversion) = place.split_once('!').unwrap_or((place, ""));
    let value = match name.parse::<usize>() {
        Ok(index) => {
            next.by_number()?;
            arguments.value(index)?.clone()
        }
        Err(_) if name.is_empty() => arguments.value(next.in_turn()?)?.clone(),
        Err(_) => {
            let value = arguments.named(name);
            value.ok_or_else(|| fault(format!("no argument is named {name:?}")))?
        }
    };
    let text = match conversion {
        "r" => Value::from(python::repr(&value)?),
        "" | "s" => value,
        other => return Err(fault(format!("unsupported conversion {other:?}"))),
    };
    aligned(&text, spec)
}

fn aligned(value: &Value, spec: &str) -> Result<String, Error> {
    if spec.is_empty() {
        return python::text(value);
    }
    let is_number = value.kind() == ValueKind::Number;
    let (align, rest) = match spec.chars().next() {
        Some(align @ ('<' | '>' | '^')) => (Some(align), &spec[1..]),
        _ => (None, spec),
    };
    let (spec, kind, rest) = match conversion(rest) {
        Ok(parts) => parts,
        // A width alone has no kind behind it.
        Err(_) => conversion(&format!("{rest}s")).map(|(spec, _, _)| (spec, 's', ""))?,
    };
    if !rest.is_empty() {
        return Err(fault(format!("unsupported format {spec:?}")));
    }
    let plain = Spec {
        width: 0,
        flags: spec.flags.clone(),
        ..spec
    };
    let text = match (kind, is_number) {
        ('s', true) => plain.signed(python::text(value)?),
        (kind, _) => converted(&plain, kind, value)?,
    };
    let missing = spec.width.saturating_sub(text.chars().count());
    charge(missing)?;
    let left = match align {
        Some('<') => 0,
        Some('^') => missing / 2,
        Some(_) => missing,
        None if is_number && spec.has('0') => {
            let whole = Spec {
                width: spec.width,
                flags: "0".to_owned(),
                precision: None,
            };
            return whole.padded(&text, true);
        }
        None if is_number => missing,
        None => 0,
    };
    Ok(" ".repeat(left) + &text + &" ".repeat(missing - left))
}
