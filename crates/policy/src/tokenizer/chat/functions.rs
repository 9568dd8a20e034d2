//! The functions that a rewritten template leans on: operators and literals that compute as Python's do.

use std::{collections::BTreeMap, sync::Arc};

use minijinja::{
    Environment, Error, Value,
    value::{Enumerator, Kwargs, Object, ObjectRepr, Rest, ValueKind},
};

use super::{
    budget::{VALUE, charge},
    methods, percent,
    python::{self, fault},
};

/// A tuple, which Python prints, compares and formats otherwise than a list.
#[derive(Debug)]
pub(super) struct Tuple(pub(super) Vec<Value>);

impl Object for Tuple {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }
}

/// The arguments of a method.
#[derive(Debug)]
pub(super) struct Arguments {
    positional: Vec<Value>,
    named: BTreeMap<String, Value>,
}

impl Arguments {
    pub(super) fn new(values: &[Value]) -> Result<Self, Error> {
        let (positional, named): (&[Value], Kwargs) = minijinja::value::from_args(values)
            .map(|(rest, named): (Rest<Value>, Kwargs)| (&values[..rest.len()], named))?;
        let mut by_name = BTreeMap::new();
        for name in named.args() {
            by_name.insert(name.to_owned(), named.get::<Value>(name)?);
        }
        Ok(Self {
            positional: positional.to_vec(),
            named: by_name,
        })
    }

    pub(super) fn named(&self, name: &str) -> Option<Value> {
        self.named.get(name).cloned()
    }

    pub(super) fn value(&self, index: usize) -> Result<&Value, Error> {
        let value = self.positional.get(index);
        value.ok_or_else(|| fault(format!("argument {} is missing", index + 1)))
    }

    pub(super) fn text(&self, index: usize) -> Result<&str, Error> {
        let value = self.value(index)?;
        let text = value.as_str();
        text.ok_or_else(|| {
            fault(format!(
                "argument {} must be a text, got {value}",
                index + 1
            ))
        })
    }

    pub(super) fn optional_text(&self, index: usize) -> Result<Option<&str>, Error> {
        match self.positional.get(index) {
            Some(value) if !value.is_none() => self.text(index).map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn either(&self, index: usize, name: &str) -> Option<&Value> {
        let value = self.positional.get(index);
        value
            .or_else(|| self.named.get(name))
            .filter(|value| !value.is_none())
    }

    pub(super) fn named_text(&self, index: usize, name: &str) -> Result<Option<&str>, Error> {
        self.either(index, name)
            .map(|value| {
                let text = value.as_str();
                text.ok_or_else(|| fault(format!("{name} must be a text, got {value}")))
            })
            .transpose()
    }

    pub(super) fn named_number(&self, index: usize, name: &str) -> Result<Option<i64>, Error> {
        self.either(index, name)
            .map(|value| {
                let number = value.as_i64();
                number.ok_or_else(|| fault(format!("{name} must be a whole number, got {value}")))
            })
            .transpose()
    }

    pub(super) fn flag(&self, index: usize, name: &str) -> Result<bool, Error> {
        Ok(self.either(index, name).is_some_and(Value::is_true))
    }

    pub(super) fn width(&self, index: usize) -> Result<usize, Error> {
        let width = self.named_number(index, "width")?.unwrap_or_default();
        Ok(usize::try_from(width).unwrap_or_default())
    }
}

/// A list of these.
pub(super) fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Value {
    Value::from(items.into_iter().map(Into::into).collect::<Vec<Value>>())
}

/// The items of anything that Python iterates over: of a text its characters.
pub(super) fn items(value: &Value) -> Result<Vec<Value>, Error> {
    if let Some(text) = value.as_str() {
        charge(text.len().saturating_mul(VALUE))?;
        return Ok(text.chars().map(|c| Value::from(c.to_string())).collect());
    }
    charge(value.len().unwrap_or_default().saturating_mul(VALUE))?;
    Ok(value.try_iter()?.collect())
}

/// Adds them to an environment.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_function("__add", add);
    environment.add_function("__cat", cat);
    environment.add_function("__mul", mul);
    environment.add_function("__mod", modulo);
    environment.add_function("__eq", |a: Value, b: Value| python::equal(&a, &b, 0));
    environment.add_function("__in", contains);
    environment.add_function("__iter", iterated);
    environment.add_function("__seen", seen);
    environment.add_function("__seen_through", seen_through);
    environment.add_function("__list", made_list);
    environment.add_function("__tuple", made_tuple);
    environment.add_function("__dict", dict);
    environment.add_function("__slice", slice);
    environment.add_function("__call", methods::call);
    environment.add_function("__bound", methods::bound);
    environment.add_function("raise_exception", |what: String| {
        Err::<Value, _>(fault(what))
    });
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

/// A number, True being 1.
pub(super) fn number(value: &Value) -> Option<Value> {
    match value.kind() {
        ValueKind::Bool => Some(Value::from(i64::from(value.is_true()))),
        ValueKind::Number => Some(value.clone()),
        _ => None,
    }
}

/// Applies whichever operation fits whole numbers or fractions.
fn arithmetic(
    a: &Value,
    b: &Value,
    whole: fn(i128, i128) -> Option<i128>,
    fraction: fn(f64, f64) -> f64,
) -> Option<Value> {
    let (a, b) = (number(a)?, number(b)?);
    if a.is_integer() && b.is_integer() {
        let result = whole(i128::try_from(a).ok()?, i128::try_from(b).ok()?)?;
        return Some(match i64::try_from(result) {
            Ok(small) => Value::from(small),
            Err(_) => Value::from(result),
        });
    }
    let (a, b) = (f64::try_from(a).ok()?, f64::try_from(b).ok()?);
    Some(Value::from(fraction(a, b)))
}

fn unsupported(operator: &str, a: &Value, b: &Value) -> Error {
    let (a, b) = (a.kind(), b.kind());
    fault(format!(
        "unsupported operand types for {operator}: {a} and {b}"
    ))
}

fn add(first: Value, others: Rest<Value>) -> Result<Value, Error> {
    let mut sum = first;
    for other in others.iter() {
        sum = added(&sum, other)?;
    }
    Ok(sum)
}

fn added(a: &Value, b: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        charge(a.len() + b.len())?;
        return Ok(Value::from([a, b].concat()));
    }
    if is_list(a) && is_list(b) {
        let both = [items(a)?, items(b)?].concat();
        let is_tuple = a.downcast_object_ref::<Tuple>().is_some();
        return Ok(match is_tuple {
            true => Value::from_object(Tuple(both)),
            false => Value::from(both),
        });
    }
    arithmetic(a, b, i128::checked_add, |a, b| a + b).ok_or_else(|| unsupported("+", a, b))
}

fn cat(parts: Rest<Value>) -> Result<String, Error> {
    let mut out = String::new();
    for part in parts.iter() {
        out.push_str(&python::text(part)?);
    }
    charge(out.len())?;
    Ok(out)
}

fn mul(a: Value, b: Value) -> Result<Value, Error> {
    let (sequence, times) = match number(&a) {
        Some(_) => (&b, &a),
        None => (&a, &b),
    };
    let times = number(times).filter(Value::is_integer);
    let times = times.and_then(|times| i128::try_from(times).ok());
    if let Some(times) = times
        && number(sequence).is_none()
    {
        let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        if let Some(text) = sequence.as_str() {
            charge(text.len().saturating_mul(times))?;
            return Ok(Value::from(text.repeat(times)));
        }
        if is_list(sequence) {
            let once = items(sequence)?;
            charge(once.len().saturating_mul(times).saturating_mul(VALUE))?;
            return Ok(list(std::iter::repeat_n(once, times).flatten()));
        }
    }
    arithmetic(&a, &b, i128::checked_mul, |a, b| a * b).ok_or_else(|| unsupported("*", &a, &b))
}

/// The remainder has the sign of the divisor, as in Python; of a text it fills in values.
fn modulo(a: Value, b: Value) -> Result<Value, Error> {
    if let Some(template) = a.as_str() {
        return percent::percent(template, &b).map(Value::from);
    }
    let whole = |a: i128, b: i128| {
        let rest = a.checked_rem(b)?;
        Some(match rest != 0 && (rest < 0) != (b < 0) {
            true => rest + b,
            false => rest,
        })
    };
    let fraction = |a: f64, b: f64| a - b * (a / b).floor();
    arithmetic(&a, &b, whole, fraction).ok_or_else(|| unsupported("%", &a, &b))
}

fn iterated(value: Value) -> Result<Value, Error> {
    match value.as_str() {
        Some(_) => items(&value).map(list),
        None => Ok(value),
    }
}

/// `value[start:stop:step]`, of the characters of a text.
fn slice(value: Value, start: Value, stop: Value, step: Value) -> Result<Value, Error> {
    if value.is_undefined() || value.is_none() || value.kind() == ValueKind::Map {
        let kind = value.kind();
        return Err(fault(format!("{kind} cannot be sliced")));
    }
    if let Some(text) = value.as_str() {
        charge(text.len())?;
        let chars: Vec<char> = text.chars().collect();
        let places = places(chars.len(), [start, stop, step])?;
        let taken: String = places.into_iter().map(|place| chars[place]).collect();
        return Ok(Value::from(taken));
    }
    let items = items(&value)?;
    let places = places(items.len(), [start, stop, step])?;
    let taken: Vec<Value> = places.into_iter().map(|at| items[at].clone()).collect();
    Ok(match value.downcast_object_ref::<Tuple>() {
        Some(_) => Value::from_object(Tuple(taken)),
        None => Value::from(taken),
    })
}

/// Which of `count` places a slice takes, by Python's rules for bounds that are negative, too far or none.
fn places(count: usize, bounds: [Value; 3]) -> Result<Vec<usize>, Error> {
    let bound = |bound: &Value| -> Result<Option<i64>, Error> {
        let number = || bound.as_i64().filter(|_| bound.is_integer());
        let fault = || fault(format!("a slice needs whole numbers, got {bound}"));
        (!bound.is_none())
            .then(|| number().ok_or_else(fault))
            .transpose()
    };
    let [start, stop, step] = bounds.each_ref().map(bound);
    let (count, step) = (count as i64, step?.unwrap_or(1));
    if step == 0 {
        return Err(fault("a slice's step cannot be zero"));
    }
    let (least, most) = match step > 0 {
        true => (0, count),
        false => (-1, count - 1),
    };
    let place = |bound: Option<i64>, otherwise: i64| match bound {
        None => otherwise,
        Some(at) if at < 0 => at.saturating_add(count).max(least),
        Some(at) => at.min(most),
    };
    let (from, to) = match step > 0 {
        true => (place(start?, 0), place(stop?, count)),
        false => (place(start?, count - 1), place(stop?, -1)),
    };
    let (mut at, mut places) = (from, Vec::new());
    while (step > 0 && at < to) || (step < 0 && at > to) {
        places.push(at as usize);
        at = at.saturating_add(step);
    }
    Ok(places)
}

/// Charges for what a filter is about to look at.
fn seen(value: Value) -> Result<Value, Error> {
    charge(match value.as_str() {
        Some(text) => text.len(),
        None => value.len().unwrap_or_default(),
    })?;
    Ok(value)
}

/// As [`seen`], for filters that compare values down to their ground.
fn seen_through(value: Value) -> Result<Value, Error> {
    python::walk(&value, 0)?;
    Ok(value)
}

/// `value in container`.
fn contains(value: Value, container: Value) -> Result<bool, Error> {
    if let Some(text) = container.as_str() {
        charge(text.len())?;
        let part = value.as_str();
        let part = part.ok_or_else(|| fault(format!("a text cannot hold {}", value.kind())))?;
        return Ok(text.contains(part));
    }
    match container.kind() {
        ValueKind::Undefined => Ok(false),
        ValueKind::Map => Ok(!container.get_item(&value)?.is_undefined()),
        ValueKind::Seq | ValueKind::Iterable => {
            for item in items(&container)? {
                if python::equal(&item, &value, 0)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        kind => Err(fault(format!("{kind} holds nothing"))),
    }
}

fn made_list(items: Rest<Value>) -> Result<Value, Error> {
    charge(items.len() * VALUE)?;
    Ok(Value::from(items.to_vec()))
}

fn made_tuple(items: Rest<Value>) -> Result<Value, Error> {
    charge(items.len() * VALUE)?;
    Ok(Value::from_object(Tuple(items.to_vec())))
}

/// Keys and values in turn.
fn dict(entries: Rest<Value>) -> Result<Value, Error> {
    charge(entries.len() * VALUE)?;
    let pairs = entries.chunks_exact(2);
    Ok(pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect())
}

/// Keys with their values.
pub(super) fn pairs(map: Value) -> Result<Value, Error> {
    // As in Jinja2, what is undefined has none.
    if map.is_undefined() {
        return Ok(list(Vec::<Value>::new()));
    }
    if map.kind() != ValueKind::Map {
        let kind = map.kind();
        return Err(fault(format!("{kind} has no items")));
    }
    let pair = |key: Value| {
        let value = map.get_item(&key)?;
        Ok(Value::from_object(Tuple(vec![key, value])))
    };
    let pairs = items(&map)?.into_iter().map(pair);
    Ok(list(pairs.collect::<Result<Vec<_>, Error>>()?))
}
