//! The users' sentences in other words, by a language model behind an OpenAI-compatible endpoint.

#[cfg(feature = "paraphrase")]
mod cache;
#[cfg(feature = "paraphrase")]
mod check;
#[cfg(feature = "paraphrase")]
mod endpoint;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::builder::QueryBuilder;
use crate::error::{Result, check as check_setting};
use crate::intent::ComposedQuery;
use crate::load_context::LoadContext;

#[cfg(feature = "paraphrase")]
use check::Request;

/// Asks a language model to say each sentence of a user in other words.
///
/// A sentence is put in other words only where the reply still holds what it must, word for word: named values, the title of the anchor,
/// the claim, the group; and nothing that it must not: the hidden value, the title of the target. Else it stays as it is, and the
/// remarks count it. Replies are kept in a file, by what was asked: a second build asks nothing.
///
/// ```
/// use rerec_datasets::ParaphraseConfig;
///
/// let config: ParaphraseConfig = toml::from_str(r#"
///     url = "http://localhost:8000/v1"
///     model = "Qwen2.5-7B-Instruct"
///     cache = "phrases.jsonl"
/// "#)?;
/// assert_eq!((config.attempts, config.parallel), (3, 8));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParaphraseConfig {
    /// The endpoint's address, to which `/chat/completions` is added: `http://localhost:8000/v1`.
    pub url: String,
    /// The model's name, as the endpoint knows it.
    pub model: String,
    /// The file that keeps the replies, one a line.
    pub cache: PathBuf,
    /// The environment variable that holds the key. Default: none, no key is sent.
    #[serde(default)]
    pub key_variable: Option<String>,
    /// What the model is told before the sentence. Default: to say it as a user of a chat would, and what to keep.
    #[serde(default = "instruction")]
    pub instruction: String,
    /// Replies asked for before a sentence stays as it is, 1 to 10. Default 3.
    #[serde(default = "attempts")]
    pub attempts: usize,
    /// Requests at once, 1 to 64. Default 8.
    #[serde(default = "parallel")]
    pub parallel: usize,
    /// Seconds after which a request is given up, at least 1. Default 60.
    #[serde(default = "timeout")]
    pub timeout: u64,
}

fn instruction() -> String {
    "Say the following in other words, as somebody would write it in a chat, in one or two sentences. Keep names, titles and \
     values exactly as they are written. Add no facts. Reply with these sentences alone."
        .to_owned()
}

fn attempts() -> usize {
    3
}

fn parallel() -> usize {
    8
}

fn timeout() -> u64 {
    60
}

impl ParaphraseConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        let is_address = self.url.starts_with("http://") || self.url.starts_with("https://");
        check_setting(
            is_address,
            "paraphrase.url",
            "an address with http:// or https://",
            &self.url,
        )?;
        check_setting(
            !self.model.is_empty(),
            "paraphrase.model",
            "the name of a model",
            &self.model,
        )?;
        let within = |value: usize, setting, most: usize| {
            let allowed = format!("from 1 to {most}");
            check_setting((1..=most).contains(&value), setting, &allowed, &value)
        };
        within(self.attempts, "paraphrase.attempts", 10)?;
        within(self.parallel, "paraphrase.parallel", 64)?;
        check_setting(
            self.timeout >= 1,
            "paraphrase.timeout",
            "at least 1",
            &self.timeout,
        )
    }

    /// Puts the sentences of the queries in other words, and says how many were.
    ///
    /// # Errors
    /// An endpoint that does not answer; a key that is not there; a file of replies that cannot be read or written.
    #[cfg(feature = "paraphrase")]
    pub(crate) fn reword(
        &self,
        builder: &QueryBuilder<'_>,
        queries: &mut [ComposedQuery],
        context: LoadContext<'_>,
    ) -> Result<String> {
        let requests: Vec<Request> = queries.iter().map(|query| builder.request(query)).collect();
        let mut cache = cache::Cache::open(&self.cache)?;
        endpoint::ask(self, &requests, &mut cache, context)?;
        let mut reworded = 0usize;
        for (query, request) in queries.iter_mut().zip(&requests) {
            if let Some(phrase) = cache.phrase(self, request) {
                builder.say(query, phrase)?;
                reworded += 1;
            }
        }
        let all = queries.len();
        Ok(match reworded == all {
            true => format!("all {all} sentences are in other words"),
            false => format!(
                "{reworded} of {all} sentences are in other words; no reply to the others held what it must"
            ),
        })
    }

    #[cfg(not(feature = "paraphrase"))]
    pub(crate) fn reword(
        &self,
        _: &QueryBuilder<'_>,
        _: &mut [ComposedQuery],
        _: LoadContext<'_>,
    ) -> Result<String> {
        Err(crate::error::Error::WithoutParaphrase)
    }
}
