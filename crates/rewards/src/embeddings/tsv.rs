//! One id and its numbers per line, separated by tabs.

use std::fmt::Write;

use ndarray::Array2;
use rerec_files::lines;

use super::EmbeddingTable;
use crate::fault::{Fault, Place};
use crate::header;

/// Ids and their `[rows, d]` matrix, behind a header that names the ids, if there is one.
pub(super) fn parse(text: &str) -> Result<(Vec<String>, Array2<f32>), Fault> {
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    let mut dimension = None;
    let mut lines = lines(text).peekable();
    lines.next_if(|(_, line)| is_header(line));
    for (number, line) in lines {
        let fault = |reason: String| Fault::new(Place::Line(number), reason);
        let mut fields = line.split('\t');
        let id = fields.next().unwrap_or_default();
        if id.trim().is_empty() {
            return Err(fault("no id".to_owned()));
        }
        ids.push(id.to_owned());
        let before = values.len();
        for field in fields {
            let value: Option<f32> = field
                .trim()
                .parse()
                .ok()
                .filter(|value: &f32| value.is_finite());
            values.push(value.ok_or_else(|| fault(format!("`{field}` is not a finite number")))?);
        }
        let got = values.len() - before;
        let expected = *dimension.get_or_insert(got);
        if got != expected || got == 0 {
            return Err(fault(format!(
                "{got} numbers, need {} as everywhere",
                expected.max(1)
            )));
        }
    }
    let shape = (ids.len(), dimension.unwrap_or(0));
    let values = Array2::from_shape_vec(shape, values)
        .map_err(|error| Fault::new(Place::Data, error.to_string()))?;
    Ok((ids, values))
}

/// Whether the first column bears a name for ids, and no other one holds a number.
pub(super) fn is_header(line: &str) -> bool {
    let mut fields = line.split('\t');
    let first = fields.next().unwrap_or_default();
    let is_id = header::names(first, header::ITEM) || header::names(first, header::USER);
    // An item may be called "title": if numbers follow, the line is data.
    is_id && line.contains('\t') && fields.all(|field| field.trim().parse::<f32>().is_err())
}

/// Numbers are written so that they are read back the same.
pub(super) fn write(table: &EmbeddingTable) -> String {
    let mut text = String::new();
    for (id, row) in table.iter() {
        text.push_str(id);
        for value in row {
            // `Display` writes the fewest digits that are read back as the same number.
            // Writing to a string cannot fail.
            let _ = write!(text, "\t{value}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let values = array![[1.5, -1e-30], [f32::MAX, 0.1]];
        let ids = vec!["Alien (1979)".to_owned(), "2".to_owned()];
        let table = EmbeddingTable::new(ids.clone(), values.clone()).unwrap();
        assert_eq!(parse(&write(&table)).unwrap(), (ids, values));
    }

    #[test]
    fn a_header_is_no_vector() {
        for header in [
            "item_id\tv0\tv1",
            "iid:token\titem_emb:float_seq",
            "Title\tx\ty",
        ] {
            let (ids, values) = parse(&format!("{header}\na\t1\t2\n")).unwrap();
            assert_eq!((ids, values), (vec!["a".to_owned()], array![[1.0, 2.0]]));
        }
        assert!(parse("Heat\tv0\na\t1\n").is_err());
        assert_eq!(parse("item\t3\na\t1\n").unwrap().0, ["item", "a"]);
    }

    #[test]
    fn faults_name_the_line() {
        let message = |text| {
            let fault = parse(text).unwrap_err();
            format!("{}: {}", fault.place, fault.reason)
        };
        assert_eq!(message("a\t1\nb\tx"), "line 2: `x` is not a finite number");
        assert_eq!(message("a\tNaN"), "line 1: `NaN` is not a finite number");
        assert_eq!(message("a\t1e99"), "line 1: `1e99` is not a finite number");
        assert_eq!(
            message("a\t1\t2\n\nb\t3"),
            "line 3: 1 numbers, need 2 as everywhere"
        );
        assert_eq!(message("a\t1\n \t2"), "line 2: no id");
        assert_eq!(message("a"), "line 1: 0 numbers, need 1 as everywhere");
    }
}
