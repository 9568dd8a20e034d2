//! Whether responses name the options by their numbers: a model cannot be reinforced to check what it cannot read.

use std::collections::HashMap;

use rerec_text::QueryId;

use crate::error::Result;
use crate::run::Run;

/// Of the lines `[3]Title: ...` in the responses to a run's first queries, the share whose title is that of candidate 3; none where no
/// line begins so.
pub(super) fn titles_read(run: &Run) -> Result<Option<f64>> {
    let mut candidates: HashMap<QueryId, Vec<String>> = HashMap::new();
    for query in run.queries()? {
        let query = query?;
        candidates.extend(query.candidates.map(|titles| (query.query, titles)));
    }
    let (mut lines, mut right) = (0_u32, 0_u32);
    for group in run.groups()? {
        let group = group?;
        if group.step > 1 {
            break;
        }
        let Some(titles) = candidates.get(&group.query) else {
            continue;
        };
        let texts = group.responses.iter().flat_map(|one| one.text.lines());
        for is_right in texts.filter_map(|line| reads(line, titles)) {
            lines += 1;
            right += u32::from(is_right);
        }
    }
    Ok((lines > 0).then(|| f64::from(right) / f64::from(lines)))
}

/// Whether a line that begins with a number goes on with the title of that number.
fn reads(line: &str, titles: &[String]) -> Option<bool> {
    let (number, rest) = line.strip_prefix('[')?.split_once(']')?;
    let number: usize = number.parse().ok()?;
    rest.contains(": ").then(|| {
        let title = number.checked_sub(1).and_then(|place| titles.get(place));
        let behind = title.and_then(|title| rest.strip_prefix(title.as_str()));
        behind.is_some_and(|behind| behind.starts_with(": "))
    })
}

#[cfg(test)]
mod tests {
    use super::reads;

    #[test]
    fn a_line_reads_the_title_of_its_number() {
        let titles = ["Alien", "Terminator 2: Judgment Day"].map(str::to_owned);
        let reads = |line| reads(line, &titles);
        assert_eq!(reads("[1]Alien: genre Horror yes."), Some(true));
        assert_eq!(
            reads("[2]Terminator 2: Judgment Day: genre Horror no."),
            Some(true)
        );
        assert_eq!(reads("[2]Alien: genre Horror yes."), Some(false));
        assert_eq!(reads("[1]Aliens: genre Horror yes."), Some(false));
        for beyond in ["[0]Alien: a.", "[3]Alien: a."] {
            assert_eq!(reads(beyond), Some(false));
        }
        for other in ["Wanted: genre Horror.", "[x]Alien: a.", "[1]Alien"] {
            assert_eq!(reads(other), None);
        }
    }
}
