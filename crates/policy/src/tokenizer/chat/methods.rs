//! Methods of texts, dicts and lists, as templates call them.

use std::sync::Arc;

use minijinja::{
    Error, State, Value,
    value::{Object, ObjectRepr, Rest, ValueKind},
};

use super::{
    functions::{Arguments, items, list, pairs},
    python::{self, fault},
    strings,
};

/// `object.name(…)`.
pub(super) fn call(
    state: &State<'_, '_>,
    object: Value,
    name: String,
    arguments: Rest<Value>,
) -> Result<Value, Error> {
    if object.is_undefined() || object.is_none() {
        let kind = object.kind();
        return Err(fault(format!("{kind} has no method {name}")));
    }
    let called = if let Some(text) = object.as_str() {
        strings::call(text, &name, &Arguments::new(&arguments)?)?
    } else if object.kind() == ValueKind::Map {
        dict_method(&object, &name, &Arguments::new(&arguments)?)?
    } else if object.kind() == ValueKind::Seq {
        list_method(&object, &name, &Arguments::new(&arguments)?)?
    } else {
        None
    };
    match called {
        Some(value) => Ok(value),
        None => object.call_method(state, &name, &arguments),
    }
}

fn dict_method(object: &Value, name: &str, arguments: &Arguments) -> Result<Option<Value>, Error> {
    let keys = || items(object);
    let entry = |key: &Value| object.get_item(key);
    Ok(Some(match name {
        "keys" => list(keys()?),
        "values" => {
            let values = keys()?.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
            list(values)
        }
        "items" => pairs(object.clone())?,
        "get" => {
            let found = entry(arguments.value(0)?)?;
            match found.is_undefined() {
                true => arguments.value(1).cloned().unwrap_or(Value::from(())),
                false => found,
            }
        }
        "copy" => object.clone(),
        "update" | "pop" | "popitem" | "clear" | "setdefault" => {
            return Err(fault(format!(
                "access to the method {name} of a dict is unsafe"
            )));
        }
        _ => return Ok(None),
    }))
}

fn list_method(object: &Value, name: &str, arguments: &Arguments) -> Result<Option<Value>, Error> {
    Ok(Some(match name {
        "index" | "count" => {
            let wanted = arguments.value(0)?;
            let mut places = Vec::new();
            for (index, item) in items(object)?.iter().enumerate() {
                if python::equal(item, wanted, 0)? {
                    places.push(index);
                }
            }
            match (name, places.first()) {
                ("count", _) => Value::from(places.len()),
                (_, Some(first)) => Value::from(*first),
                _ => return Err(fault("the value is not in the list")),
            }
        }
        "copy" => object.clone(),
        "append" | "extend" | "insert" | "remove" | "pop" | "clear" | "sort" | "reverse" => {
            return Err(fault(format!(
                "access to the method {name} of a list is unsafe"
            )));
        }
        _ => return Ok(None),
    }))
}

/// A method of a dict that is looked at and not called.
#[derive(Debug)]
struct Method(String);

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<built-in method {} of dict object>", self.0)
    }
}

pub(super) fn bound(object: Value, name: String) -> Result<Value, Error> {
    match object.kind() {
        // A namespace is a map too, but one of attributes.
        ValueKind::Map if !is_namespace(&object) => Ok(Value::from_object(Method(name))),
        _ => object.get_attr(&name),
    }
}

fn is_namespace(value: &Value) -> bool {
    let object = value.as_object();
    object.is_some_and(|object| object.type_name().ends_with("::Namespace"))
}
