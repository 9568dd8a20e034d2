//! What responses were asked for: the right items, and the items to choose from.

use pyo3::prelude::*;
use pyo3::types::PyString;
use rayon::prelude::*;
use rerec::rewards::{AnswerReader, Catalogue};
use rerec::{Choice, Titles};
use serde::Deserialize;

use crate::arguments::{each, ids, same_length, text, texts, word};
use crate::error::Failure;

/// How targets and candidates are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NamedBy {
    Title,
    Id,
}

/// The targets and candidates of each response.
#[derive(Debug)]
pub(crate) struct Questions {
    by: NamedBy,
    /// Each once where responses to one query follow each other.
    distinct: Vec<Question>,
    /// The place in `distinct` of each response's.
    places: Vec<usize>,
}

#[derive(Debug, PartialEq)]
struct Question {
    targets: Titles,
    candidates: Option<Vec<String>>,
}

impl Questions {
    /// One entry per response in both; each entry of `targets` is a list of titles, or one text of titles.
    pub(crate) fn read(
        targets: &Bound<'_, PyAny>,
        candidates: Option<&Bound<'_, PyAny>>,
        by: &str,
        responses: usize,
    ) -> PyResult<Self> {
        let targets = each(targets, "targets", titles)?;
        same_length("targets", targets.len(), responses)?;
        let candidates = match candidates {
            Some(candidates) => each(candidates, "candidates", list)?,
            None => (0..responses).map(|_| None).collect(),
        };
        same_length("candidates", candidates.len(), responses)?;
        let mut questions = Self {
            by: word(by, "by")?,
            distinct: Vec::new(),
            places: Vec::with_capacity(responses),
        };
        for (targets, candidates) in targets.into_iter().zip(candidates) {
            questions.push(Question {
                targets,
                candidates,
            });
        }
        Ok(questions)
    }

    fn push(&mut self, question: Question) {
        if self.distinct.last() != Some(&question) {
            self.distinct.push(question);
        }
        self.places.push(self.distinct.len() - 1);
    }

    /// Whether two responses were asked for the same.
    pub(crate) fn are_equal(&self, first: usize, second: usize) -> bool {
        let (first, second) = (self.places[first], self.places[second]);
        first == second || self.distinct[first] == self.distinct[second]
    }

    /// The items of each question, or what the data have wrongly.
    pub(crate) fn resolve(&self, catalogue: &Catalogue, reader: &AnswerReader) -> Resolved<'_> {
        let resolve = |question: &Question| match self.by {
            NamedBy::Title => question.by_title(reader),
            NamedBy::Id => question.by_id(catalogue),
        };
        let choices = self.distinct.par_iter().map(resolve).collect();
        Resolved {
            choices,
            places: &self.places,
        }
    }
}

/// The items of the questions of responses.
#[derive(Debug)]
pub(crate) struct Resolved<'a> {
    choices: Vec<rerec::Result<Choice>>,
    places: &'a [usize],
}

impl Resolved<'_> {
    /// The items of the question of a response.
    pub(crate) fn of(&self, response: usize) -> std::result::Result<&Choice, &rerec::Error> {
        self.choices[self.places[response]].as_ref()
    }
}

impl Question {
    fn by_title(&self, reader: &AnswerReader) -> rerec::Result<Choice> {
        Choice::resolve(reader, &self.targets, self.candidates.as_deref())
    }

    fn by_id(&self, catalogue: &Catalogue) -> rerec::Result<Choice> {
        let targets = match &self.targets {
            Titles::Each(ids) => catalogue.indices_of(ids)?,
            Titles::Joined(id) => catalogue.indices_of([id])?,
        };
        let candidates = self.candidates.as_ref();
        let candidates = candidates
            .map(|ids| catalogue.indices_of(ids))
            .transpose()?;
        Ok(Choice {
            targets,
            candidates,
        })
    }
}

fn titles(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Titles> {
    match value.is_instance_of::<PyString>() {
        true => Ok(Titles::Joined(text(value, what)?.to_string())),
        false => strings(value, what).map(Titles::Each),
    }
}

fn list(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Option<Vec<String>>> {
    match value.is_none() {
        true => Ok(None),
        false => strings(value, what).map(Some),
    }
}

fn strings(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<String>> {
    Ok(texts(value, what)?
        .iter()
        .map(|text| text.to_string())
        .collect())
}

/// The ids of the queries, one per response; without them each response has its own, its place.
pub(crate) fn queries(
    queries: Option<&Bound<'_, PyAny>>,
    responses: usize,
) -> PyResult<Vec<String>> {
    let Some(queries) = queries else {
        return Ok((0..responses).map(|place| place.to_string()).collect());
    };
    let queries = ids(queries, "queries")?;
    same_length("queries", queries.len(), responses)?;
    Ok(queries)
}

/// Says which response an error is about.
pub(crate) fn of_response(response: usize, error: impl Into<Failure>) -> Failure {
    error.into().at(&format!("responses[{response}]"))
}
