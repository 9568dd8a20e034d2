//! Filters and tests that differ from minijinja's: those of Jinja2, over Python's values.

use minijinja::{
    Environment, Error, Value,
    value::{Rest, ValueKind},
};

use super::{
    budget::charge,
    functions::{Arguments, Tuple, items, list, number, pairs},
    percent,
    python::{self, Dump, fault},
    strings,
};

/// Adds them to an environment.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("tojson", tojson);
    environment.add_filter("string", |value: Value| python::text(&value));
    environment.add_filter("join", join);
    environment.add_filter("trim", trim);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("items", pairs);
    environment.add_filter("dictsort", dictsort);
    environment.add_filter("replace", replace);
    environment.add_filter("indent", indent);
    environment.add_filter("capitalize", |value: Value| {
        Ok::<_, Error>(strings::capitalize(&python::text(&value)?))
    });
    environment.add_filter("upper", |value: Value| {
        Ok::<_, Error>(python::text(&value)?.to_uppercase())
    });
    environment.add_filter("lower", |value: Value| {
        Ok::<_, Error>(python::text(&value)?.to_lowercase())
    });
    environment.add_filter("list", |value: Value| items(&value).map(list));
    environment.add_filter("format", |template: String, values: Rest<Value>| {
        percent::percent(&template, &Value::from_object(Tuple(values.to_vec())))
    });
    for name in ["escape", "e"] {
        environment.add_filter(name, escape);
    }
    environment.add_test("sequence", |value: Value| {
        matches!(
            value.kind(),
            ValueKind::Seq | ValueKind::Map | ValueKind::String
        )
    });
    environment.add_test("iterable", |value: Value| {
        value.is_undefined()
            || value.as_str().is_some()
            || value.try_iter().is_ok() && !value.is_none()
    });
    environment.add_test("number", |value: Value| {
        matches!(value.kind(), ValueKind::Number | ValueKind::Bool)
    });
}

/// What is undefined has no length, but 0.
fn length(value: Value) -> Result<usize, Error> {
    let text = value.as_str().map(|text| text.chars().count());
    let length = text.or_else(|| value.len());
    match length {
        None if value.is_undefined() => Ok(0),
        None if value.kind() == ValueKind::Iterable => Ok(items(&value)?.len()),
        None => Err(fault(format!("{} has no length", value.kind()))),
        Some(length) => Ok(length),
    }
}

/// Sorted pairs; texts in lower case unless `case_sensitive`.
fn dictsort(map: Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let arguments = Arguments::new(&arguments)?;
    let by_case = arguments.flag(0, "case_sensitive")?;
    let place = match arguments.named_text(1, "by")? {
        None | Some("key") => 0,
        Some("value") => 1,
        Some(other) => return Err(fault(format!("by must be key or value, got {other:?}"))),
    };
    let key = |pair: &Value| -> Result<Value, Error> {
        let key = pair.get_item(&Value::from(place))?;
        Ok(match key.as_str() {
            Some(text) if !by_case => Value::from(text.to_lowercase()),
            _ => key,
        })
    };
    let pairs = items(&pairs(map)?)?.into_iter();
    let keyed = pairs.map(|pair| Ok((key(&pair)?, pair)));
    let mut keyed = keyed.collect::<Result<Vec<_>, Error>>()?;
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    if arguments.flag(2, "reverse")? {
        keyed.reverse();
    }
    Ok(list(keyed.into_iter().map(|(_, pair)| pair)))
}

fn tojson(value: Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    let indent = arguments.either(1, "indent");
    let indent = match indent.map(|indent| (indent.as_str(), indent.as_i64())) {
        None => None,
        Some((Some(text), _)) => Some(text.to_owned()),
        Some((None, Some(width @ ..=1000))) => Some(" ".repeat(width.max(0) as usize)),
        Some(_) => return Err(fault("indent must be a text or at most 1000")),
    };
    let separators = match arguments.either(2, "separators") {
        None => None,
        Some(pair) => Some(items(pair)?),
    };
    let separators: Option<Vec<String>> = separators
        .map(|pair| pair.iter().map(python::text).collect())
        .transpose()?;
    let (item_separator, key_separator) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(fault("separators must be two texts")),
        None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
        None => (", ".to_owned(), ": ".to_owned()),
    };
    let dump = Dump {
        ensure_ascii: arguments.flag(0, "ensure_ascii")?,
        indent,
        item_separator,
        key_separator,
        sort_keys: arguments.flag(3, "sort_keys")?,
    };
    dump.text(&value)
}

fn join(value: Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    let separator = arguments.named_text(0, "d")?.unwrap_or_default();
    let attribute = arguments.named_text(1, "attribute")?;
    let mut texts = Vec::new();
    for item in items(&value)? {
        let item = match attribute {
            Some(attribute) => item.get_attr(attribute)?,
            None => item,
        };
        texts.push(python::text(&item)?);
    }
    strings::join(separator, &list(texts))
}

fn trim(value: Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    strings::strip(&python::text(&value)?, &arguments, true, true)
}

fn replace(value: Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    let most = arguments.named_number(2, "count")?.unwrap_or(-1);
    let (old, new) = (
        python::text(arguments.value(0)?)?,
        python::text(arguments.value(1)?)?,
    );
    let most = usize::try_from(most).ok();
    strings::replaced(&python::text(&value)?, &old, &new, most)
}

/// A whole number; what is none is the default, 0.
fn int(value: Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let arguments = Arguments::new(&arguments)?;
    let default = arguments.either(0, "default");
    let default = default.cloned().unwrap_or(Value::from(0));
    let whole = match value.as_str() {
        Some(text) => {
            let text = text.trim_matches(strings::is_space).replace('_', "");
            let parsed = text.parse::<i64>().ok();
            parsed.or_else(|| truncated(text.parse().ok()?))
        }
        None if number(&value).is_none() => None,
        None if value.is_integer() => return Ok(value),
        None => number(&value).and_then(|x| truncated(f64::try_from(x).ok()?)),
    };
    Ok(whole.map_or(default, Value::from))
}

fn truncated(value: f64) -> Option<i64> {
    let whole = value.trunc();
    (whole.abs() < i64::MAX as f64).then_some(whole as i64)
}

/// A fraction; what is none is the default, 0.0.
fn float(value: Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let arguments = Arguments::new(&arguments)?;
    let default = arguments.either(0, "default");
    let default = default.cloned().unwrap_or(Value::from(0.0));
    let fraction = match value.as_str() {
        Some(text) => text.trim_matches(strings::is_space).parse::<f64>().ok(),
        None => number(&value).and_then(|x| f64::try_from(x).ok()),
    };
    Ok(fraction.map_or(default, Value::from))
}

/// Jinja2's: all lines but the first, unless `first`; blank ones only with `blank`.
fn indent(value: Value, arguments: Rest<Value>) -> Result<String, Error> {
    let arguments = Arguments::new(&arguments)?;
    let width = arguments.either(0, "width");
    let prefix = match width.map(|width| (width.as_str(), width.as_i64())) {
        None => "    ".to_owned(),
        Some((Some(text), _)) => text.to_owned(),
        Some((None, Some(width @ ..=1000))) => " ".repeat(width.max(0) as usize),
        Some(_) => return Err(fault("width must be a text or at most 1000")),
    };
    let (first, blank) = (arguments.flag(1, "first")?, arguments.flag(2, "blank")?);
    // Jinja2 adds a line end so that the last line counts as one.
    let lines = strings::lines(&(python::text(&value)? + "\n"), false);
    charge(lines.len().saturating_mul(prefix.len()))?;
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let is_indented = match index {
            0 => first,
            _ => blank || !line.is_empty(),
        };
        out.push_str(if is_indented { &prefix } else { "" });
        out.push_str(line);
    }
    Ok(out)
}

fn escape(value: Value) -> Result<String, Error> {
    let text = python::text(&value)?;
    let escaped = text
        .replace('&', "&amp;")
        .replace('>', "&gt;")
        .replace('<', "&lt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;");
    charge(escaped.len())?;
    Ok(escaped)
}
