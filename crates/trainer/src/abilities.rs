//! What a model can do beside recommending.

mod instruction;
mod prompts;

use std::ops::ControlFlow;

use rerec_policy::{
    Finish, Learner, Policy, Progress, Prompt, Response, RolloutGroup, SampleRequest, Sampler,
    Sampling,
};
use rerec_text::QueryId;
use serde::{Deserialize, Serialize};

pub use self::instruction::Instruction;
use self::prompts::{InstructionPrompt, prompts};
use crate::error::Result;

/// Beginnings of sentences, each with its right end and three wrong ones behind it.
const QUESTIONS: &str = include_str!("abilities/questions.tsv");

/// Paragraphs of general prose, written for this test.
const PASSAGES: &str = include_str!("abilities/passages.txt");

/// Groups that are scored in one call, so that progress is seen.
const SCORED_AT_ONCE: usize = 8;

/// What a model made of an [`AbilityTest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abilities {
    /// Greedy responses to prompts with instructions that a program can check.
    pub instructions: Vec<InstructionAnswer>,
    /// Ends of sentences, of which one is right.
    pub questions: Vec<QuestionAnswer>,
    /// General prose.
    pub passages: Vec<PassageScore>,
}

/// A response to a prompt with instructions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstructionAnswer {
    /// What the user says.
    pub prompt: String,
    /// What the response has to be like.
    pub instructions: Vec<Instruction>,
    /// Whether each of them is followed.
    pub followed: Vec<bool>,
    /// The response.
    pub response: String,
    /// Its tokens.
    pub tokens: usize,
    /// Why it ended.
    pub finish: Finish,
}

impl InstructionAnswer {
    /// Whether all of its instructions are followed.
    pub fn is_right(&self) -> bool {
        self.followed.iter().all(|&followed| followed)
    }
}

/// How likely a model finds each end of a sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionAnswer {
    /// The sentence's beginning.
    pub question: String,
    /// Its ends, the right one first.
    pub options: Vec<String>,
    /// Mean log-probability of each in nats per byte: longer ends are not less likely for their length.
    pub log_probs: Vec<f64>,
}

impl QuestionAnswer {
    /// Whether the right end is likelier than every other.
    pub fn is_right(&self) -> bool {
        match &self.log_probs[..] {
            [right, wrong @ ..] => wrong.iter().all(|other| right > other),
            [] => false,
        }
    }

    /// What a guess gets right on average.
    pub fn guess(&self) -> f64 {
        1.0 / self.options.len().max(1) as f64
    }
}

/// How likely a model finds a passage after its first sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassageScore {
    /// The first sentence.
    pub beginning: String,
    /// Bytes of the others.
    pub bytes: usize,
    /// Their log-probability, in nats.
    pub log_prob: f64,
}

impl PassageScore {
    /// Bits that the model needs for a byte: models with other tokens can be compared. The less the better.
    pub fn bits_per_byte(&self) -> f64 {
        -self.log_prob / std::f64::consts::LN_2 / self.bytes.max(1) as f64
    }
}

/// Tests of what a language model could do before it was trained to recommend: 174 prompts with one or two of 25 kinds of
/// instructions that a program can check (after IFEval, arXiv 2311.07911), 105 multiple-choice questions of general knowledge, and 24
/// passages of prose. All of them were written for this test, so that no model has seen them. English alone.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use rerec_policy::ScriptedPolicy;
/// use rerec_trainer::AbilityTest;
///
/// // Each character is a token of log-probability -1, whatever stands before it.
/// let mut policy = ScriptedPolicy::new(|_| "all small letters.".to_owned());
/// let test = AbilityTest::new(|text| Ok(text.chars().map(u32::from).collect()))?;
/// let abilities = test.run(&mut policy, 64, &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!(abilities.instructions.len(), 174);
/// // -1 nat a byte is 1 / ln 2 bits.
/// assert!((abilities.passages[0].bits_per_byte() - 1.4427).abs() < 1e-4);
/// // No end is likelier than the others.
/// assert!(!abilities.questions.iter().any(|question| question.is_right()));
/// # Ok::<(), rerec_trainer::Error>(())
/// ```
#[derive(Debug)]
pub struct AbilityTest {
    prompts: Vec<InstructionPrompt>,
    questions: Vec<Vec<&'static str>>,
    passages: Vec<(&'static str, &'static str)>,
    /// The questions', then the passages'.
    scored: Vec<RolloutGroup>,
}

impl AbilityTest {
    /// Encodes the texts by the model's tokenizer, without a chat template: `encode` is what
    /// [`Prompt::Text`] is encoded by.
    ///
    /// # Errors
    /// What `encode` reports.
    pub fn new(encode: impl Fn(&str) -> rerec_policy::Result<Vec<u32>>) -> Result<Self> {
        let questions: Vec<Vec<&str>> = QUESTIONS
            .lines()
            .map(|line| line.split('\t').collect())
            .collect();
        let passages: Vec<(&str, &str)> = PASSAGES.split("\n\n").map(opening).collect();
        let group = |number: usize, beginning: &str, ends: &[&str]| -> Result<RolloutGroup> {
            let ends = ends.iter().map(|end| encode(end));
            let ends = ends.collect::<rerec_policy::Result<Vec<_>>>()?;
            Ok(RolloutGroup {
                query: QueryId::from(format!("ability-{number}")),
                prompt_ids: encode(beginning)?,
                temperature: 1.0,
                responses: ends.into_iter().enumerate().map(unsampled).collect(),
            })
        };
        let mut scored = Vec::with_capacity(questions.len() + passages.len());
        for question in &questions {
            let ends: Vec<String> = question[1..].iter().map(|end| format!(" {end}")).collect();
            let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
            scored.push(group(scored.len(), question[0], &ends)?);
        }
        for (beginning, rest) in &passages {
            scored.push(group(scored.len(), beginning, &[rest])?);
        }
        Ok(Self {
            prompts: prompts(),
            questions,
            passages,
            scored,
        })
    }

    /// Asks greedily for at most `max_new_tokens` a response, and scores the texts under the present weights. `progress` counts prompts
    /// and texts, and may end the test.
    ///
    /// # Errors
    /// What the policy reports; [`rerec_policy::Error::Cancelled`] where `progress` breaks off.
    pub fn run(
        &self,
        policy: &mut dyn Policy,
        max_new_tokens: usize,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Abilities> {
        let total = self.prompts.len() + self.scored.len();
        let log_probs = self.score(policy, &mut |done| progress(Progress { done, total }))?;
        let before = self.scored.len();
        let instructions = self.ask(policy, max_new_tokens, &mut |now| {
            progress(Progress {
                done: before + now.done,
                total,
            })
        })?;
        let (of_questions, of_passages) = log_probs.split_at(self.questions.len());
        let questions = self.questions.iter().zip(of_questions);
        let passages = self.passages.iter().zip(of_passages);
        Ok(Abilities {
            instructions,
            questions: questions
                .map(|(question, sums)| judged_question(question, sums))
                .collect(),
            passages: passages
                .map(|(passage, sums)| judged_passage(*passage, sums))
                .collect(),
        })
    }

    /// The log-probability of each response of each group.
    fn score(
        &self,
        policy: &mut dyn Policy,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<Vec<f64>>> {
        let mut sums = Vec::with_capacity(self.scored.len());
        for groups in self.scored.chunks(SCORED_AT_ONCE) {
            let of_tokens = Learner::log_probs(policy, groups)?;
            let sum = |tokens: &Vec<f32>| tokens.iter().map(|&one| f64::from(one)).sum();
            sums.extend(
                of_tokens
                    .iter()
                    .map(|group| group.iter().map(sum).collect()),
            );
            if progress(sums.len()).is_break() {
                return Err(rerec_policy::Error::Cancelled.into());
            }
        }
        Ok(sums)
    }

    fn ask(
        &self,
        policy: &mut dyn Policy,
        max_new_tokens: usize,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<InstructionAnswer>> {
        let ids: Vec<QueryId> = (0..self.prompts.len())
            .map(|number| format!("instruction-{number}").into())
            .collect();
        let requests = self
            .prompts
            .iter()
            .zip(&ids)
            .map(|(prompt, query)| SampleRequest {
                query,
                prompt: Prompt::User(&prompt.text),
                samples: 1,
            });
        let requests: Vec<SampleRequest<'_>> = requests.collect();
        let sampling = Sampling {
            purpose: "abilities".to_owned(),
            ..Sampling::greedy(max_new_tokens)
        };
        let groups = Sampler::generate_with(policy, &requests, &sampling, progress)?;
        let responses = groups.into_iter().flat_map(|group| group.responses);
        Ok(self
            .prompts
            .iter()
            .zip(responses)
            .map(|(prompt, response)| judged_prompt(prompt, response))
            .collect())
    }
}

/// A passage's first sentence, and the rest with the space before it.
fn opening(passage: &'static str) -> (&'static str, &'static str) {
    let passage = passage.trim_end();
    let end = passage.find(". ").map_or(passage.len(), |place| place + 1);
    passage.split_at(end)
}

/// Ids to score, as a response that nobody sampled.
fn unsampled((sample, token_ids): (usize, Vec<u32>)) -> Response {
    Response {
        sample,
        token_byte_lens: vec![0; token_ids.len()],
        log_probs: vec![0.0; token_ids.len()],
        token_ids,
        text: String::new(),
        finish: Finish::Stop,
    }
}

fn judged_prompt(prompt: &InstructionPrompt, response: Response) -> InstructionAnswer {
    let followed = prompt
        .instructions
        .iter()
        .map(|one| one.is_followed(&response.text));
    InstructionAnswer {
        prompt: prompt.text.clone(),
        instructions: prompt.instructions.clone(),
        followed: followed.collect(),
        tokens: response.token_ids.len(),
        finish: response.finish,
        response: response.text,
    }
}

fn judged_question(question: &[&str], sums: &[f64]) -> QuestionAnswer {
    let options = &question[1..];
    // With the space that each begins with.
    let means = options
        .iter()
        .zip(sums)
        .map(|(option, sum)| sum / (option.len() + 1) as f64);
    QuestionAnswer {
        question: question[0].to_owned(),
        log_probs: means.collect(),
        options: options.iter().map(|&option| option.to_owned()).collect(),
    }
}

fn judged_passage((beginning, rest): (&str, &str), sums: &[f64]) -> PassageScore {
    PassageScore {
        beginning: beginning.to_owned(),
        bytes: rest.len(),
        log_prob: sums.iter().sum(),
    }
}

#[cfg(test)]
mod tests {
    use rerec_policy::ScriptedPolicy;

    use super::*;

    fn test() -> AbilityTest {
        AbilityTest::new(|text| Ok(text.chars().map(u32::from).collect())).unwrap()
    }

    #[test]
    fn questions_have_four_different_ends_and_passages_a_rest() {
        let test = test();
        assert_eq!((test.questions.len(), test.passages.len()), (105, 24));
        for question in &test.questions {
            let ends: std::collections::BTreeSet<_> = question[1..].iter().collect();
            assert_eq!(ends.len(), 4, "{question:?}");
        }
        for (beginning, rest) in &test.passages {
            assert!(
                beginning.ends_with('.') && rest.starts_with(' ') && rest.len() > 100,
                "{beginning}"
            );
        }
    }

    #[test]
    fn responses_are_judged_by_their_own_instructions() -> Result<()> {
        let mut policy = ScriptedPolicy::new(|_| "all small letters and no more".to_owned());
        let abilities = test().run(&mut policy, 100, &mut |_| ControlFlow::Continue(()))?;
        let of_kind = |kind: &Instruction| {
            let asked = abilities
                .instructions
                .iter()
                .filter(|one| one.instructions == [kind.clone()]);
            asked.map(InstructionAnswer::is_right).collect::<Vec<_>>()
        };
        assert_eq!(of_kind(&Instruction::Lowercase), [true; 6]);
        assert_eq!(of_kind(&Instruction::Uppercase), [false; 6]);
        assert_eq!(of_kind(&Instruction::NoCommas), [true; 6]);
        Ok(())
    }

    #[test]
    fn the_likeliest_end_by_byte_is_the_answer() {
        // -6 / 6 bytes against -8 / 10: the longer one is less likely as a whole, and likelier by byte.
        let answer = judged_question(&["The capital is", "Paris", "Marseille"], &[-6.0, -8.0]);
        assert_eq!(answer.log_probs, [-1.0, -0.8]);
        assert!(!answer.is_right());
        assert_eq!(answer.guess(), 0.5);
        let answer = judged_question(&["The capital is", "Paris", "Marseille"], &[-3.0, -8.0]);
        assert!(answer.is_right());
    }

    #[test]
    fn a_test_can_be_broken_off() {
        let mut policy = ScriptedPolicy::new(|_| String::new());
        let mut seen = Vec::new();
        let ended = test().run(&mut policy, 10, &mut |now| {
            seen.push(now);
            if now.done < 16 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        assert!(ended.is_err());
        let total = 174 + 105 + 24;
        assert_eq!(seen, [8, 16].map(|done| Progress { done, total }));
    }
}
