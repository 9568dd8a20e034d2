//! The engine of the filters: JSON Lines in, JSON Lines out, in the same order.
//!
//! Lines are parsed, worked on and printed in parallel batches. A batch is what has arrived by then, so that a caller that writes one
//! line and waits for its answer gets it.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use rayon::prelude::*;
use rerec_files::json_cause;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::Failure;

/// Largest number of lines in a batch.
const BATCH_LINES: usize = 4096;
/// Bytes read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// What every filter can be told.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct FilterArgs {
    /// What to do with a faulty line: stop with exit status 2, or report it and go on
    #[arg(long, value_enum, default_value = "fail")]
    on_error: OnError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OnError {
    Fail,
    Skip,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {cause}")]
pub(crate) struct Fault {
    line: u64,
    cause: String,
}

/// Why a well-formed line cannot be worked on.
#[derive(Debug, thiserror::Error)]
#[error("{field}: {cause}")]
pub(crate) struct Rejection {
    field: &'static str,
    cause: String,
}

impl Rejection {
    /// The field at fault, and what is wrong with it.
    pub(crate) fn new(field: &'static str, cause: impl Display) -> Self {
        Self {
            field,
            cause: cause.to_string(),
        }
    }

    /// What is wrong, without the field.
    pub(crate) fn cause(&self) -> &str {
        &self.cause
    }
}

/// Says that the first line of a table was taken for a header.
pub(crate) fn warn_of_header(path: &Path, header: Option<&str>) {
    // Reported, since a first row that only looks like a header would be left out silently.
    if let Some(header) = header {
        let columns: Vec<&str> = header.trim_end().split('\t').collect();
        eprintln!(
            "rerec: {}: the first line is a header: {}",
            path.display(),
            columns.join(", ")
        );
    }
}

/// Prints one line of JSON.
pub(crate) fn print_line(value: &impl Serialize) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, value).map_err(|error| Failure::Write(error.into()))?;
    output.write_all(b"\n").map_err(Failure::Write)
}

/// Prints a page of text.
pub(crate) fn print_text(page: &impl Display) -> Result<(), Failure> {
    write!(io::stdout().lock(), "{page}").map_err(Failure::Write)
}

impl FilterArgs {
    /// Answers each line of standard input by one on standard output. `key` names the field that identifies a line, and with which the
    /// answer to a faulty line begins.
    pub(crate) fn answer<I: DeserializeOwned, O: Serialize>(
        self,
        key: &'static str,
        work: impl Fn(I) -> Result<O, Rejection> + Sync,
    ) -> Result<(), Failure> {
        // Standard output by itself writes line by line; here each batch is written at once.
        let mut output = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
        answer_lines(self.on_error, key, io::stdin().lock(), &mut output, work)
    }

    /// Reads all of standard input, each line with its number; faulty lines that are to be skipped are reported and left out.
    pub(crate) fn read_all<I: DeserializeOwned + Send>(self) -> Result<Vec<(u64, I)>, Failure> {
        let mut lines = Vec::new();
        in_batches(io::stdin().lock(), parse, |batch| {
            for (number, line) in batch {
                match line {
                    Ok(line) => lines.push((number, line)),
                    Err(cause) => self.fault(number, cause)?,
                }
            }
            Ok(())
        })?;
        Ok(lines)
    }

    /// The same where no line may be left out.
    pub(crate) fn without_skipping(self) -> Self {
        Self {
            on_error: OnError::Fail,
        }
    }

    /// Reports a fault found after reading: the end of the command, or a line on standard error.
    pub(crate) fn fault(self, line: u64, cause: impl Display) -> Result<(), Failure> {
        self.on_error.handle(Fault {
            line,
            cause: cause.to_string(),
        })
    }
}

impl OnError {
    fn handle(self, fault: Fault) -> Result<(), Failure> {
        match self {
            Self::Fail => Err(fault.into()),
            Self::Skip => {
                eprintln!("rerec: {fault}");
                Ok(())
            }
        }
    }
}

fn answer_lines<I: DeserializeOwned, O: Serialize>(
    on_error: OnError,
    key: &'static str,
    input: impl Read,
    output: &mut impl Write,
    work: impl Fn(I) -> Result<O, Rejection> + Sync,
) -> Result<(), Failure> {
    let answer = |line: &[u8]| {
        let answer = work(parse(line)?).map_err(|rejection| rejection.to_string())?;
        serde_json::to_vec(&answer).map_err(|error| error.to_string())
    };
    let answer = |line: &[u8]| answer(line).map_err(|cause| (skipped(key, line, &cause), cause));
    in_batches(input, answer, |batch| {
        for (number, answer) in batch {
            let text = match answer {
                Ok(text) => text,
                Err((text, cause)) => {
                    on_error.handle(Fault {
                        line: number,
                        cause,
                    })?;
                    text
                }
            };
            output
                .write_all(&text)
                .and_then(|()| output.write_all(b"\n"))
                .map_err(Failure::Write)?;
        }
        // A caller may wait for these answers before it sends the next line.
        output.flush().map_err(Failure::Write)
    })
}

/// Parses a line; the message of a failure names the field.
pub(crate) fn parse<I: DeserializeOwned>(line: &[u8]) -> Result<I, String> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let cause = json_cause(error.inner(), line);
        // "?" is a place before any field has a name: the text is not even JSON.
        if path == "." || path == "?" {
            cause
        } else {
            format!("{path}: {cause}")
        }
    })?;
    // A second value on the line would otherwise be lost.
    json.end().map_err(|error| json_cause(&error, line))?;
    Ok(parsed)
}

/// The answer to a faulty line.
fn skipped(key: &str, line: &[u8], cause: &str) -> Vec<u8> {
    // Parsed again as raw values: the fault may lie in another field of the object.
    let fields: Option<std::collections::HashMap<String, Box<RawValue>>> =
        serde_json::from_slice(line).ok();
    let id = fields
        .and_then(|mut fields| fields.remove(key))
        .or_else(|| to_raw_value(&()).ok());
    let id = id.map_or("null".to_owned(), |id| id.get().to_owned());
    let (key, cause) = (serde_json::Value::from(key), serde_json::Value::from(cause));
    format!("{{{key}:{id},\"error\":{cause}}}").into_bytes()
}

/// Works on the lines in parallel, batch by batch, and hands the results over in order with their line numbers, from 1.
/// Blank lines are passed over.
fn in_batches<T: Send>(
    input: impl Read,
    work: impl Fn(&[u8]) -> T + Sync,
    mut sink: impl FnMut(Vec<(u64, T)>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, input);
    let mut next_number = 1;
    loop {
        let lines = read_batch(&mut reader, &mut next_number).map_err(Failure::Read)?;
        if lines.is_empty() {
            return Ok(());
        }
        let worked = lines
            .par_iter()
            .map(|(number, line)| (*number, without_mark(line)))
            .filter(|(_, line)| !line.trim_ascii().is_empty());
        // `collect` keeps the order of the lines, whichever thread works on them.
        sink(worked.map(|(number, line)| (number, work(line))).collect())?;
    }
}

/// A line without the byte order mark that files begin with, on whatever line a file that was appended begins.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
}

/// At least one line, unless the input has ended, and then those that arrived with it.
fn read_batch(
    reader: &mut BufReader<impl Read>,
    next_number: &mut u64,
) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let mut lines = Vec::new();
    // The buffer holds bytes that were read but not used: with a line end in it, the next line is
    // there without waiting.
    while lines.is_empty() || (lines.len() < BATCH_LINES && reader.buffer().contains(&b'\n')) {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        // Blank lines are counted, as editors count them.
        lines.push((*next_number, line));
        *next_number += 1;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Input {
        id: Box<RawValue>,
        values: Vec<f64>,
    }

    #[derive(Serialize)]
    struct Output {
        id: Box<RawValue>,
        sum: f64,
    }

    fn sum(input: Input) -> Result<Output, Rejection> {
        if input.values.is_empty() {
            return Err(Rejection::new("values", "empty"));
        }
        Ok(Output {
            id: input.id,
            sum: input.values.iter().sum(),
        })
    }

    fn run(on_error: OnError, input: &str) -> (String, Result<(), Failure>) {
        let mut output = Vec::new();
        let outcome = answer_lines(on_error, "id", input.as_bytes(), &mut output, sum);
        (String::from_utf8(output).unwrap(), outcome)
    }

    #[test]
    fn answers_keep_their_order_ids_and_digits() {
        let input: String = (0..10_000)
            .map(|i| format!("{{\"id\":[{i}],\"values\":[{i}.0,0.1]}}\n"))
            .collect();
        let (output, outcome) = run(OnError::Fail, &input);
        assert!(outcome.is_ok());
        let expected: String = (0..10_000)
            .map(|i| format!("{{\"id\":[{i}],\"sum\":{:?}}}\n", f64::from(i) + 0.1))
            .collect();
        assert_eq!(output, expected);
    }

    #[test]
    fn fail_names_line_field_and_cause_after_the_answers_before() {
        let (output, outcome) = run(
            OnError::Fail,
            "{\"id\":1,\"values\":[1]}\n\n{\"id\":2,\"values\":[1,\"x\"]}\n",
        );
        assert_eq!(output, "{\"id\":1,\"sum\":1.0}\n");
        let message = outcome.unwrap_err().to_string();
        assert_eq!(
            message,
            "line 3: values[1]: invalid type: string \"x\", expected f64 (column 23)"
        );
    }

    #[test]
    fn skip_answers_a_faulty_line_under_its_id() {
        let (output, outcome) = run(
            OnError::Skip,
            "{\"id\":\"a\",\"values\":[]}\nnonsense\n{\"id\":3,\"values\":[2]}",
        );
        assert!(outcome.is_ok());
        let expected = "{\"id\":\"a\",\"error\":\"values: empty\"}\n\
             {\"id\":null,\"error\":\"expected ident (column 2)\"}\n{\"id\":3,\"sum\":2.0}\n";
        assert_eq!(output, expected);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_line() {
        let line = "\u{feff}{\"id\":1,\"values\":[1]}\n";
        for on_error in [OnError::Fail, OnError::Skip] {
            let (output, outcome) = run(on_error, &line.repeat(2));
            assert!(outcome.is_ok());
            assert_eq!(output, "{\"id\":1,\"sum\":1.0}\n".repeat(2));
        }
        let (output, outcome) = run(OnError::Fail, "\u{feff}\r\n\u{feff}");
        assert!(output.is_empty() && outcome.is_ok());
    }

    #[test]
    fn other_encodings_are_named() {
        let line = "{\"id\":1,\"values\":[1]}\n";
        let utf16: Vec<u8> = line.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut output = Vec::new();
        let outcome = answer_lines(OnError::Fail, "id", &utf16[..], &mut output, sum);
        let message = outcome.unwrap_err().to_string();
        assert!(
            message.starts_with("line 1: the text is in UTF-16LE"),
            "{message}"
        );
        let (output, _) = run(
            OnError::Skip,
            "{\"id\":\"\\ud83d\",\"values\":[\"\\ude00\"]}\n",
        );
        assert!(output.contains("lone surrogate"), "{output}");
    }

    #[test]
    fn a_missing_field_and_trailing_text_are_faults() {
        let fault = |line: &str| run(OnError::Fail, line).1.unwrap_err().to_string();
        assert_eq!(
            fault("{\"id\":1}"),
            "line 1: missing field `values` (column 8)"
        );
        assert_eq!(
            fault("{\"id\":1,\"values\":[1]} x"),
            "line 1: trailing characters (column 23)"
        );
    }
}
