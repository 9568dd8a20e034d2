//! Attributes as files write them.

use rerec_rewards::Attribute;

use crate::table::Cell;

/// An attribute of a relation and a value, both trimmed; `None` where one of them is blank or no text.
pub(crate) fn attribute(relation: &Cell<'_>, value: &Cell<'_>) -> Option<Attribute> {
    let text = |cell: &Cell<'_>| {
        let text = cell.text()?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    let (relation, value) = text(relation).zip(text(value))?;
    Some(Attribute { relation, value })
}

/// A list of `{"relation": …, "value": …}`, which is empty where the cell is; `None` where it is something else.
pub(crate) fn attribute_list(cell: &Cell<'_>) -> Option<Vec<Attribute>> {
    match cell {
        Cell::List(cells) => cells
            .iter()
            .map(|cell| attribute(cell.get("relation"), cell.get("value")))
            .collect(),
        cell => cell.is_blank().then(Vec::new),
    }
}
