//! The forms of requests and answers.

use rerec::Titles;
use rerec_rewards::RewardBreakdown;
use serde::Deserialize;
use serde_json::json;

use crate::filter::parse;
use crate::score::Question;

/// Whose form a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    OpenRlhf,
    Slime,
}

/// Why a request is not answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has another form.
    Malformed(String),
    /// What it asks for cannot be scored.
    Data(String),
    /// The server is at fault.
    Fault(String),
}

/// A response with what it was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) response: String,
    pub(super) question: Question,
}

#[derive(Deserialize)]
struct OpenRlhf {
    /// Prompts with responses.
    query: Vec<String>,
    prompts: Vec<String>,
    labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Slime {
    response: String,
    label: Label,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a title, a list of titles, or an object with ground_truth and candidates"
)]
enum Label {
    Titles(Titles),
    Question(Question),
}

impl From<Label> for Question {
    fn from(label: Label) -> Self {
        match label {
            Label::Titles(ground_truth) => Self {
                ground_truth,
                candidates: None,
            },
            Label::Question(question) => question,
        }
    }
}

impl Protocol {
    /// The responses of a request, in order.
    pub(super) fn read(self, body: &[u8]) -> Result<Vec<Asked>, Refusal> {
        match self {
            Self::OpenRlhf => parse::<OpenRlhf>(body).map_err(Refusal::Malformed)?.asked(),
            Self::Slime => {
                let Slime { response, label } = parse(body).map_err(Refusal::Malformed)?;
                let question = label.into();
                Ok(vec![Asked { response, question }])
            }
        }
    }

    /// The answer to a request, as JSON.
    pub(super) fn write(self, rewards: &[RewardBreakdown]) -> String {
        let each = |part: fn(&RewardBreakdown) -> f64| rewards.iter().map(part).collect::<Vec<_>>();
        let totals = each(|reward| reward.total);
        match self {
            // OpenRLHF leaves out groups by the mean of their scores, which have to lie in [0, 1].
            Self::OpenRlhf => json!({
                "rewards": totals,
                "scores": each(hit),
                "extra_logs": {
                    "hit": each(hit),
                    "ndcg": each(|reward| reward.ndcg),
                    "format": each(|reward| reward.format),
                },
            })
            .to_string(),
            Self::Slime => json!(totals.first()).to_string(),
        }
    }

    /// What the field is called that an error is about.
    pub(super) fn place(self, response: usize) -> String {
        match self {
            Self::OpenRlhf => format!("labels[{response}]"),
            Self::Slime => "label".to_owned(),
        }
    }
}

fn hit(reward: &RewardBreakdown) -> f64 {
    f64::from(u8::from(reward.hit))
}

impl OpenRlhf {
    fn asked(self) -> Result<Vec<Asked>, Refusal> {
        let (queries, prompts, labels) = (self.query.len(), self.prompts.len(), self.labels.len());
        if queries != prompts || queries != labels {
            let message = format!(
                "query, prompts and labels must be of one length, got {queries}, {prompts} and {labels}"
            );
            return Err(Refusal::Malformed(message));
        }
        let asked = self.query.into_iter().zip(self.prompts).zip(self.labels);
        let asked = asked
            .enumerate()
            .map(|(place, ((query, prompt), label))| Asked::behind(place, query, &prompt, label));
        asked.collect()
    }
}

impl Asked {
    /// What follows the prompt, whose own text may show a box.
    fn behind(
        place: usize,
        mut query: String,
        prompt: &str,
        label: Label,
    ) -> Result<Self, Refusal> {
        let Some(start) = query.find(prompt) else {
            let message = format!(
                "query[{place}] does not hold prompts[{place}], so that nobody knows where the response begins: was the prompt cut?"
            );
            return Err(Refusal::Data(message));
        };
        Ok(Self {
            response: query.split_off(start + prompt.len()),
            question: label.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> Result<Vec<(String, Titles)>, Refusal> {
        let asked = Protocol::OpenRlhf.read(body.as_bytes())?.into_iter();
        Ok(asked
            .map(|asked| (asked.response, asked.question.ground_truth))
            .collect())
    }

    #[test]
    fn what_follows_the_prompt_is_scored() {
        let body = r#"{"query": ["<s>Box it: \\boxed{X} so \\boxed{Up}", "\\boxed{Up}"], "prompts": ["Box it: \\boxed{X}", ""],
            "labels": ["Up", {"ground_truth": ["Up", "Heat"], "candidates": ["Up", "Heat", "Jaws"]}]}"#;
        let expected = [
            (r" so \boxed{Up}".to_owned(), Titles::Joined("Up".into())),
            (
                r"\boxed{Up}".to_owned(),
                Titles::Each(vec!["Up".into(), "Heat".into()]),
            ),
        ];
        assert_eq!(asked(body).unwrap(), expected);
    }

    /// It would be read as an answer, and a box that the prompt shows as the model's.
    #[test]
    fn a_query_without_its_prompt_is_refused() {
        let body = r#"{"query": ["? \\boxed{Up}", "it: \\boxed{X} so"], "prompts": ["?", "Box it: \\boxed{X}"], "labels": ["Up", "Up"]}"#;
        let Err(Refusal::Data(cause)) = asked(body) else {
            panic!("{body}");
        };
        assert!(
            cause.starts_with("query[1] does not hold prompts[1]"),
            "{cause}"
        );
    }

    #[test]
    fn other_forms_are_refused() {
        for (body, message) in [
            (
                r#"{"query": ["a"], "prompts": [], "labels": ["Up"]}"#,
                "must be of one length, got 1, 0 and 1",
            ),
            (
                r#"{"query": ["a"], "prompts": ["p"]}"#,
                "missing field `labels`",
            ),
            (
                r#"{"query": ["a"], "prompts": ["p"], "labels": [7]}"#,
                "labels[0]: expected a title, a list of titles",
            ),
            (r#"{"query": "a"}"#, "query: invalid type"),
            ("{", "EOF"),
        ] {
            let Err(Refusal::Malformed(cause)) = asked(body) else {
                panic!("{body}");
            };
            assert!(cause.contains(message), "{cause}");
        }
    }
}
