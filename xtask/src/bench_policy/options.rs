//! The words behind `cargo xtask bench-policy`.

use std::path::PathBuf;

use super::plan::Kind;
use crate::error::{Error, Result};

/// What the words behind `bench-policy` ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) kinds: Vec<Kind>,
    pub(super) rounds: usize,
    pub(super) quick: bool,
    pub(super) python: Option<PathBuf>,
}

impl Options {
    pub(super) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self {
            kinds: Kind::ALL.to_vec(),
            rounds: 3,
            quick: false,
            python: None,
        };
        let mut rest = words;
        while !rest.is_empty() {
            rest = match rest {
                ["--quick", rest @ ..] => {
                    options.quick = true;
                    rest
                }
                ["--python", path, rest @ ..] => {
                    options.python = Some(PathBuf::from(path));
                    rest
                }
                ["--only", name, rest @ ..] => {
                    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == *name);
                    options.kinds = vec![kind.ok_or_else(|| refusal(words))?];
                    rest
                }
                ["--rounds", number, rest @ ..] => {
                    let number = number.parse().ok().filter(|&number| number >= 1);
                    options.rounds = number.ok_or_else(|| refusal(words))?;
                    rest
                }
                _ => return Err(refusal(words)),
            };
        }
        Ok(options)
    }
}

fn refusal(words: &[&str]) -> Error {
    Error::Options {
        task: "bench-policy",
        given: words.join(" "),
        expected: "--only generate|step|lora|cost, --rounds N with N at least 1, --quick, --python PATH",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_order() {
        let options = Options::parse(&["--rounds", "5", "--python", "p", "--only", "cost"]);
        let expected = Options {
            kinds: vec![Kind::Cost],
            rounds: 5,
            quick: false,
            python: Some("p".into()),
        };
        assert_eq!(options.unwrap(), expected);
        assert_eq!(Options::parse(&[]).unwrap().kinds, Kind::ALL);
        for words in [
            &["--rounds", "0"][..],
            &["--only", "all"],
            &["--only"],
            &["fast"],
        ] {
            let error = Options::parse(words).unwrap_err().to_string();
            assert!(
                error.ends_with(&format!("got `{}`", words.join(" "))),
                "{error}"
            );
        }
    }
}
