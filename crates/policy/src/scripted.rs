//! A policy that says what it was told to say, to test a training loop by hand.

use std::{
    fmt,
    ops::{ControlFlow, Range},
    path::Path,
};

use rerec_files::{FileSet, read_json, verify};
use rerec_text::QueryId;
use serde::{Deserialize, Serialize};

use crate::{
    Finish, Learner, Objective, Progress, Prompt, Response, RolloutGroup, SampleRequest, Sampler,
    Sampling, SupervisedExample, SupervisedStats, TrainingGroup, UpdateStats,
    error::{Error, Result},
    learner::{check_learning_rate, is_within},
};

/// What [`Learner::save`] writes.
const FILE: &str = "scripted.json";

/// What a script is asked for: one response.
#[derive(Debug, Clone, Copy)]
pub struct Cue<'a> {
    /// The query.
    pub query: &'a QueryId,
    /// Index of the response within its group.
    pub sample: usize,
    /// How it is to be sampled; at temperature 0 greedily.
    pub sampling: &'a Sampling,
    /// What was taught before, so that a script may learn.
    pub lessons: &'a [Lesson],
}

/// Where a text is cut into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenSplit {
    /// Each character is a token.
    #[default]
    Characters,
    /// Each word is a token, with the white space behind it.
    Words,
}

/// One call that taught a [`ScriptedPolicy`] something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Lesson {
    /// [`Learner::supervise`].
    Supervised {
        /// The responses to imitate.
        responses: Vec<String>,
        /// The learning rate.
        learning_rate: f64,
    },
    /// [`Learner::update`].
    Update {
        /// The groups learned from.
        groups: Vec<TaughtGroup>,
        /// The learning rate.
        learning_rate: f64,
    },
    /// [`Learner::anchor`].
    Anchor,
}

/// A group of a [`Lesson::Update`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaughtGroup {
    /// The query.
    pub query: QueryId,
    /// Its responses.
    pub responses: Vec<TaughtResponse>,
}

/// A response of a [`TaughtGroup`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaughtResponse {
    /// Its index within the group.
    pub sample: usize,
    /// Its ids.
    pub token_ids: Vec<u32>,
    /// Log-probabilities at sampling time, `[tokens]`.
    pub old_log_probs: Vec<f32>,
    /// Advantages, `[tokens]`.
    pub advantages: Vec<f64>,
}

/// A sampler and learner without a model: it says what its script says, and keeps what it is taught.
///
/// Every token has one log-probability, now and under the reference, so that ratios are 1 and the KL term is 0: an update's loss
/// is minus the mean advantage. A response is cut off at `max_new_tokens`; there is no end token. Of the sampling's settings the
/// script alone decides what to heed; it has no entropies, so that [`Objective::forks`] is not asked.
///
/// ```
/// use rerec_policy::{
///     Learner, Lesson, Objective, ObjectiveConfig, SampleRequest, Sampler, Sampling, ScriptedPolicy,
/// };
///
/// let mut policy = ScriptedPolicy::new(|cue| ["yes", "no"][cue.sample].to_owned());
/// let query = "q1".into();
/// let request = SampleRequest { query: &query, prompt: "Heat?".into(), samples: 2 };
/// let groups = policy.generate(&[request], &Sampling::default())?;
/// assert_eq!(groups[0].responses[1].text, "no");
/// assert_eq!(groups[0].responses[1].token_byte_lens, [1, 1]);
///
/// // Five tokens: the loss is -(3 * 1.0 + 2 * -1.0) / 5 = -0.2.
/// let advantages = [vec![1.0; 3], vec![-1.0; 2]];
/// let batch = [groups[0].with_advantages(advantages.iter().map(Vec::as_slice))];
/// let objective = Objective::new(ObjectiveConfig::default())?;
/// let stats = policy.update(&batch, &objective, 1e-3)?;
/// assert!((stats.loss + 0.2).abs() < 1e-12);
/// assert!(matches!(policy.lessons(), [Lesson::Update { learning_rate: 1e-3, .. }]));
/// # Ok::<(), rerec_policy::Error>(())
/// ```
pub struct ScriptedPolicy {
    script: Box<dyn Fn(Cue<'_>) -> String + Send>,
    split: TokenSplit,
    log_prob: f32,
    lessons: Vec<Lesson>,
}

impl fmt::Debug for ScriptedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedPolicy")
            .field("split", &self.split)
            .field("log_prob", &self.log_prob)
            .field("lessons", &self.lessons)
            .finish_non_exhaustive()
    }
}

impl ScriptedPolicy {
    /// A policy with a script. Characters are tokens, each with a log-probability of -1.
    pub fn new(script: impl Fn(Cue<'_>) -> String + Send + 'static) -> Self {
        Self {
            script: Box::new(script),
            split: TokenSplit::default(),
            log_prob: -1.0,
            lessons: Vec::new(),
        }
    }

    /// The same policy with other tokens.
    pub fn with_tokens(mut self, split: TokenSplit) -> Self {
        self.split = split;
        self
    }

    /// The same policy with another log-probability of each token, in nats.
    pub fn with_log_prob(mut self, log_prob: f32) -> Self {
        self.log_prob = log_prob;
        self
    }

    /// What it was taught, in order.
    pub fn lessons(&self) -> &[Lesson] {
        &self.lessons
    }

    fn respond(&self, request: &SampleRequest<'_>, sample: usize, sampling: &Sampling) -> Response {
        let mut text = (self.script)(Cue {
            query: request.query,
            sample,
            sampling,
            lessons: &self.lessons,
        });
        let mut lens: Vec<usize> = self.split.tokens(&text).map(str::len).collect();
        let is_cut = lens.len() > sampling.max_new_tokens;
        if is_cut {
            lens.truncate(sampling.max_new_tokens);
            // Tokens add up to the text, so this is a character boundary.
            text.truncate(lens.iter().sum());
        }
        Response {
            sample,
            token_ids: self.split.ids(&text),
            token_byte_lens: lens.iter().map(|&len| len as u32).collect(),
            log_probs: vec![self.log_prob; lens.len()],
            text,
            finish: if is_cut { Finish::Length } else { Finish::Stop },
        }
    }

    fn prompt_ids(&self, prompt: Prompt<'_>) -> Vec<u32> {
        match prompt {
            Prompt::User(text) | Prompt::Text(text) => self.split.ids(text),
            Prompt::Chat(messages) => {
                let contents = messages.iter().flat_map(|m| self.split.ids(&m.content));
                contents.collect()
            }
            Prompt::Ids(ids) => ids.to_vec(),
        }
    }
}

impl ScriptedPolicy {
    /// How many tokens of an example's response are learned.
    fn learned_tokens(&self, example: &SupervisedExample<'_>) -> usize {
        let mut end = 0;
        let spans = self.split.tokens(example.response).map(|token| {
            let start = end;
            end += token.len();
            start..end
        });
        let is_learned = |token: &Range<usize>| {
            let learned = example.learned;
            learned.is_none_or(|ranges| is_within(token, ranges))
        };
        spans.filter(is_learned).count()
    }
}

impl TokenSplit {
    fn tokens(self, text: &str) -> impl Iterator<Item = &str> {
        let mut rest = text;
        std::iter::from_fn(move || {
            // The end is looked for behind the first character, so that no token is empty while text is left.
            let mut chars = rest.char_indices().skip(1);
            let ends = |&(at, c): &(usize, char)| match self {
                Self::Characters => true,
                Self::Words => !c.is_whitespace() && rest[..at].ends_with(char::is_whitespace),
            };
            let (token, behind) = rest.split_at(chars.find(ends).map_or(rest.len(), |(at, _)| at));
            rest = behind;
            (!token.is_empty()).then_some(token)
        })
    }

    /// Ids that equal tokens share: a character's is its code point.
    fn ids(self, text: &str) -> Vec<u32> {
        let id = |token: &str| match self {
            // A single character, so the sum is its code point.
            Self::Characters => token.chars().map(u32::from).sum(),
            // FNV-1a: equal words have equal ids in every run, without a vocabulary to save.
            Self::Words => token.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            }),
        };
        self.tokens(text).map(id).collect()
    }
}

impl Sampler for ScriptedPolicy {
    fn generate_with(
        &mut self,
        requests: &[SampleRequest<'_>],
        sampling: &Sampling,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<RolloutGroup>> {
        sampling.validate()?;
        let total = requests.iter().map(|request| request.samples).sum();
        let mut done = 0;
        let mut groups = Vec::with_capacity(requests.len());
        for request in requests {
            let mut responses = Vec::with_capacity(request.samples);
            for sample in 0..request.samples {
                responses.push(self.respond(request, sample, sampling));
                done += 1;
                if progress(Progress { done, total }).is_break() {
                    return Err(Error::Cancelled);
                }
            }
            groups.push(RolloutGroup {
                query: request.query.clone(),
                prompt_ids: self.prompt_ids(request.prompt),
                temperature: sampling.group_temperature(),
                responses,
            });
        }
        Ok(groups)
    }
}

impl Learner for ScriptedPolicy {
    fn supervise(
        &mut self,
        batch: &[SupervisedExample<'_>],
        learning_rate: f64,
    ) -> Result<SupervisedStats> {
        check_learning_rate(learning_rate)?;
        let tokens = batch.iter().map(|example| self.learned_tokens(example));
        let tokens = tokens.sum();
        self.lessons.push(Lesson::Supervised {
            responses: batch.iter().map(|e| e.response.to_owned()).collect(),
            learning_rate,
        });
        Ok(SupervisedStats {
            loss: if tokens == 0 {
                0.0
            } else {
                -f64::from(self.log_prob)
            },
            grad_norm: 0.0,
            tokens,
        })
    }

    fn log_probs(&mut self, groups: &[RolloutGroup]) -> Result<Vec<Vec<Vec<f32>>>> {
        let of_group = |group: &RolloutGroup| {
            let lens = group.responses.iter().map(|r| r.token_ids.len());
            lens.map(|tokens| vec![self.log_prob; tokens]).collect()
        };
        Ok(groups.iter().map(of_group).collect())
    }

    fn update(
        &mut self,
        batch: &[TrainingGroup<'_>],
        objective: &Objective,
        learning_rate: f64,
    ) -> Result<UpdateStats> {
        check_learning_rate(learning_rate)?;
        batch.iter().try_for_each(TrainingGroup::check)?;
        let mut stats = UpdateStats::of(batch);
        let responses = || batch.iter().flat_map(|group| &group.responses);
        let lens: Vec<usize> = responses().map(|r| r.token_ids.len()).collect();
        let weighted = responses().zip(objective.weights(&lens));
        for (response, weight) in weighted.filter(|(r, _)| r.teaches()) {
            for &advantage in response.advantages {
                let now = f64::from(self.log_prob);
                stats.loss += weight * objective.token(now, 0.0, None, advantage).loss;
            }
        }
        self.lessons.push(Lesson::Update {
            groups: batch.iter().map(TaughtGroup::from).collect(),
            learning_rate,
        });
        Ok(stats)
    }

    fn anchor(&mut self) -> Result<()> {
        self.lessons.push(Lesson::Anchor);
        Ok(())
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let mut files = FileSet::new(folder);
        files.json(FILE, &self.lessons)?;
        Ok(files.finish()?)
    }

    fn restore(&mut self, folder: &Path) -> Result<()> {
        verify(folder, |name| name == FILE)?;
        self.lessons = read_json(&folder.join(FILE))?;
        Ok(())
    }
}

impl From<&TrainingGroup<'_>> for TaughtGroup {
    fn from(group: &TrainingGroup<'_>) -> Self {
        let responses = group.responses.iter().map(|response| TaughtResponse {
            sample: response.sample,
            token_ids: response.token_ids.to_vec(),
            old_log_probs: response.old_log_probs.to_vec(),
            advantages: response.advantages.to_vec(),
        });
        Self {
            query: group.query.clone(),
            responses: responses.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_add_up_to_the_text() {
        let cut = |split: TokenSplit, text| Vec::from_iter(split.tokens(text));
        assert_eq!(cut(TokenSplit::Characters, "é a"), ["é", " ", "a"]);
        assert_eq!(
            cut(TokenSplit::Words, " one  two\nthree "),
            [" ", "one  ", "two\n", "three "]
        );
        assert!(cut(TokenSplit::Words, "").is_empty());
        let ids = TokenSplit::Words.ids("a b a b");
        assert_eq!(
            (ids[0] == ids[2], ids[0] == ids[1], ids.len()),
            (true, false, 4)
        );
    }

    #[test]
    fn a_long_response_is_cut_at_a_token() {
        let mut policy = ScriptedPolicy::new(|cue| format!("{} one two three", cue.query))
            .with_tokens(TokenSplit::Words);
        let sampling = Sampling::greedy(3);
        let query = "q".into();
        let request = SampleRequest {
            query: &query,
            prompt: "x y".into(),
            samples: 1,
        };
        let group = policy.generate(&[request], &sampling).unwrap().remove(0);
        assert_eq!((group.prompt_ids.len(), group.temperature), (2, 1.0));
        assert_eq!(group.responses[0].text, "q one two ");
        assert_eq!(group.responses[0].finish, Finish::Length);
        assert_eq!(group.responses[0].token_byte_lens, [2, 4, 4]);
    }

    #[test]
    fn a_script_may_learn_and_what_it_was_taught_is_restored() {
        let new = || ScriptedPolicy::new(|cue| cue.lessons.len().to_string());
        let mut policy = new();
        policy.anchor().unwrap();
        let mut examples = [SupervisedExample {
            prompt: "a".into(),
            response: "bcd",
            learned: Some(&[0..1, 2..3]),
        }];
        assert_eq!(policy.supervise(&examples, 0.1).unwrap().tokens, 2);
        examples[0].learned = None;
        assert_eq!(policy.supervise(&examples, 0.1).unwrap().tokens, 3);
        let folder = tempfile::tempdir().unwrap();
        policy.save(folder.path()).unwrap();
        let mut other = new();
        other.restore(folder.path()).unwrap();
        assert_eq!(other.lessons(), policy.lessons());
        let query = "q".into();
        let request = SampleRequest {
            query: &query,
            prompt: "x".into(),
            samples: 1,
        };
        let said = other.generate(&[request], &Sampling::default()).unwrap();
        assert_eq!(said[0].responses[0].text, "3");
    }

    #[test]
    fn what_cannot_be_learned_from_is_named_by_query_and_sample() {
        let mut policy = ScriptedPolicy::new(|_| "ab".to_owned());
        let query = "q1".into();
        let request = SampleRequest {
            query: &query,
            prompt: "x".into(),
            samples: 2,
        };
        let groups = policy.generate(&[request], &Sampling::default()).unwrap();
        let objective = Objective::new(crate::ObjectiveConfig::default()).unwrap();
        let mut refuse = |advantages: [&[f64]; 2]| {
            let batch = [groups[0].with_advantages(advantages)];
            policy
                .update(&batch, &objective, 1e-3)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refuse([&[1.0, 1.0], &[1.0]]),
            "query q1, sample 1: advantages has 1 entries, expected one for each of 2 tokens"
        );
        assert_eq!(
            refuse([&[1.0, f64::NAN], &[1.0, 1.0]]),
            "query q1, sample 0: the advantage of token 1 is NaN"
        );
    }
}
