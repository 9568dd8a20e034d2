//! Prompts of an exact number of tokens.

use std::{cmp::Ordering, fs, path::PathBuf};

use clap::Args;
use rerec_policy::{QueryId, SampleRequest, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Tokens of the prompts that warm up.
const WARM_UP: usize = 48;

/// Words that texts are filled up with.
const WORDS: [&str; 12] = [
    "film", "book", "music", "city", "river", "winter", "story", "friend", "night", "road",
    "house", "sea",
];

#[derive(Debug, Args)]
pub(crate) struct PromptsRequest {
    /// The Hugging Face folder whose tokenizer and chat template count.
    #[arg(long)]
    model: PathBuf,
    /// Where to write them.
    #[arg(long)]
    output: PathBuf,
    #[arg(long)]
    count: usize,
    /// Tokens of each, chat template included.
    #[arg(long)]
    tokens: usize,
}

/// What both sides read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prompts {
    pub(crate) warm_up: Vec<Prompt>,
    pub(crate) prompts: Vec<Prompt>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prompt {
    /// What the user says.
    pub(crate) text: String,
    /// The same within the chat template.
    pub(crate) ids: Vec<u32>,
}

impl PromptsRequest {
    pub(crate) fn write(&self) -> Result<()> {
        let tokenizer = Tokenizer::from_folder(&self.model)?;
        let prompts = |tokens: usize| -> Result<Vec<Prompt>> {
            (0..self.count)
                .map(|number| Prompt::of_length(&tokenizer, number, tokens))
                .collect()
        };
        let both = Prompts {
            warm_up: prompts(WARM_UP)?,
            prompts: prompts(self.tokens)?,
        };
        Ok(fs::write(&self.output, serde_json::to_string(&both)?)?)
    }
}

impl Prompts {
    /// The first `count` of each kind.
    pub(crate) fn read(path: &PathBuf, count: usize) -> Result<Self> {
        let mut prompts: Self = serde_json::from_str(&fs::read_to_string(path)?)?;
        if prompts.prompts.len() < count {
            let (path, found) = (path.display(), prompts.prompts.len());
            return Err(format!("{path} holds {found} prompts, {count} are needed").into());
        }
        prompts.warm_up.truncate(count);
        prompts.prompts.truncate(count);
        Ok(prompts)
    }
}

impl Prompt {
    /// Adds words until the template around them has `tokens` tokens; a word that would be too much is passed over.
    fn of_length(tokenizer: &Tokenizer, number: usize, tokens: usize) -> Result<Self> {
        let mut text = format!("Query {number}: what do you recommend to somebody who likes");
        for word in WORDS.iter().cycle().skip(number).take(2 * tokens) {
            let longer = format!("{text} {word}");
            let ids = tokenizer.encode_prompt(&longer)?;
            match ids.len().cmp(&tokens) {
                Ordering::Less => text = longer,
                Ordering::Equal => return Ok(Self { text: longer, ids }),
                Ordering::Greater => {}
            }
        }
        Err(format!("no words make a prompt of {tokens} tokens").into())
    }

    pub(crate) fn request<'a>(&'a self, query: &'a QueryId, samples: usize) -> SampleRequest<'a> {
        SampleRequest {
            query,
            prompt: (&self.text).into(),
            samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rerec_policy::TokenizerConfig;

    #[test]
    fn prompts_have_the_length_asked_for_and_differ() {
        let config = TokenizerConfig::new(600);
        let corpus = WORDS.map(|word| format!("what do you recommend {word}"));
        let tokenizer = Tokenizer::train(&config, corpus.iter().map(String::as_str)).unwrap();
        let prompt = |number| Prompt::of_length(&tokenizer, number, 120).unwrap();
        let (first, second) = (prompt(0), prompt(1));
        assert_eq!((first.ids.len(), second.ids.len()), (120, 120));
        assert_ne!(first.ids, second.ids);
        assert_eq!(tokenizer.encode_prompt(&first.text).unwrap(), first.ids);
    }

    #[test]
    fn a_length_that_the_template_alone_exceeds_is_refused() {
        let tokenizer = Tokenizer::train(&TokenizerConfig::new(260), [].into_iter());
        let refused = Prompt::of_length(&tokenizer.unwrap(), 0, 3).unwrap_err();
        assert_eq!(refused.to_string(), "no words make a prompt of 3 tokens");
    }
}
