//! One value of a table, whatever the file.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A value. What a file writes as a text stays one: whether it is a number, the reader decides who asks for one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Cell<'a> {
    #[default]
    Missing,
    Flag(bool),
    Whole(i128),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Cell<'a>>),
    /// Keys with their values, in the file's order.
    Record(Vec<(Cow<'a, str>, Cell<'a>)>),
}

impl<'a> Cell<'a> {
    /// A field of a text file; an empty one holds nothing.
    pub(crate) fn of_field(field: &'a str) -> Self {
        if field.is_empty() {
            Self::Missing
        } else {
            Self::Text(Cow::Borrowed(field))
        }
    }

    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// The text of a text or a number. Whole numbers lose their fraction: a column of ids with a gap in it has become a
    /// column of floating-point numbers in many a file.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Whole(number) => Some(number.to_string().into()),
            // `Display` writes 17.0 as "17" and never with an exponent. NaN, with which pandas
            // fills gaps, is no id.
            Self::Number(number) if number.is_finite() => Some(number.to_string().into()),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A whole number; of the other numbers those without a fraction.
    pub(crate) fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => i64::try_from(*number).ok(),
            Self::Text(text) if text.trim().parse::<i64>().is_ok() => text.trim().parse().ok(),
            _ => {
                // Below 2^53 every whole number is exact.
                let is_exact = |x: &f64| x.fract() == 0.0 && x.abs() < 9_007_199_254_740_992.0;
                self.number().filter(is_exact).map(|x| x as i64)
            }
        }
    }

    /// Hands each text of a list, or each part of a text, to `each`, trimmed and without blank ones; false where an element is
    /// neither text nor number.
    pub(crate) fn for_each_text<E>(
        &self,
        separator: &str,
        mut each: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut filled = |text: &str| match text.trim() {
            "" => Ok(()),
            text => each(text),
        };
        match self {
            Self::Missing => {}
            Self::List(cells) => {
                // The elements are not split: a title in a list may hold the separator.
                for cell in cells {
                    let Some(text) = cell.text() else {
                        return Ok(false);
                    };
                    filled(&text)?;
                }
            }
            cell => {
                let Some(text) = cell.text() else {
                    return Ok(false);
                };
                text.split(separator).try_for_each(filled)?;
            }
        }
        Ok(true)
    }

    /// The texts of a list, or the parts of a text; `None` where an element is neither text nor number.
    pub(crate) fn texts(&self, separator: &str) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        let read = self.for_each_text(separator, |text| {
            texts.push(text.to_owned());
            Ok::<(), Infallible>(())
        });
        matches!(read, Ok(true)).then_some(texts)
    }

    /// What a text holds as JSON; any other cell as it is.
    pub(crate) fn unfolded(&self) -> Cell<'_> {
        match self {
            Self::Text(text) if text.trim_start().starts_with(['{', '[']) => {
                // Not JSON after all: the title "[REC]" begins with a bracket too.
                serde_json::from_str(text).unwrap_or_else(|_| self.clone())
            }
            _ => self.clone(),
        }
    }

    /// As JSON; what JSON has no number for is `null`.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Missing => Value::Null,
            Self::Flag(flag) => (*flag).into(),
            Self::Whole(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => (*number as f64).into(),
            },
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.as_ref().into(),
            Self::List(cells) => cells.iter().map(Self::to_json).collect(),
            Self::Record(fields) => {
                let field =
                    |(key, value): &(Cow<'_, str>, Self)| (key.to_string(), value.to_json());
                fields.iter().map(field).collect()
            }
        }
    }

    /// The value of a record's key.
    pub(crate) fn get(&self, key: &str) -> &Cell<'a> {
        let fields = match self {
            Self::Record(fields) => fields.as_slice(),
            _ => &[],
        };
        let field = fields.iter().find(|(name, _)| name == key);
        field.map_or(&Cell::Missing, |(_, value)| value)
    }
}

/// As JSON would write it, shortened: what a message shows of a value that is not what it should be.
impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        match self {
            Self::Missing => f.write_str("nothing"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number}"),
            // Cut between characters: a slice at byte 60 could panic within an accented letter.
            Self::Text(text) => match text.char_indices().nth(SHOWN) {
                Some((end, _)) => write!(f, "{:?}…", &text[..end]),
                None => write!(f, "{text:?}"),
            },
            Self::List(cells) => write!(f, "a list of {}", cells.len()),
            Self::Record(_) => f.write_str("an object"),
        }
    }
}

impl<'de> Deserialize<'de> for Cell<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell<'de>, E> {
        Ok(Cell::Missing)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Cell<'de>, E> {
        Ok(Cell::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell<'de>, E> {
        Ok(Cell::Whole(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Cell<'de>, E> {
        Ok(Cell::Whole(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Cell<'de>, E> {
        Ok(Cell::Number(number))
    }

    // A string with an escape is unescaped into a buffer that the parser reuses, so it is copied.
    fn visit_str<E>(self, text: &str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell<'de>, A::Error> {
        let mut cells = Vec::new();
        while let Some(cell) = list.next_element()? {
            cells.push(cell);
        }
        Ok(Cell::List(cells))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell<'de>, A::Error> {
        let mut fields = Vec::new();
        // A key may hold escapes, and then it cannot be borrowed: it is read as a cell is.
        while let Some((Key(key), value)) = map.next_entry()? {
            fields.push((key, value));
        }
        Ok(Cell::Record(fields))
    }
}

/// A key of a JSON object, borrowed where it holds no escape.
#[derive(Debug, PartialEq)]
pub(super) struct Key<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(CellVisitor)? {
            Cell::Text(key) => Ok(Self(key)),
            _ => Err(serde::de::Error::custom("a key must be a text")),
        }
    }
}
