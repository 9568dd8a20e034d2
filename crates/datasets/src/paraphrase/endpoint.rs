//! Asking the endpoint.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use ureq::Agent;

use super::cache::{Cache, key};
use super::{ParaphraseConfig, Request};
use crate::error::{Error, Result};
use crate::load_context::{LoadContext, Progress};

/// Asks for the words of each request that was never answered, several at once, and puts them into the cache.
pub(super) fn ask(
    config: &ParaphraseConfig,
    requests: &[Request],
    cache: &mut Cache,
    context: LoadContext<'_>,
) -> Result<()> {
    let mut asked = HashSet::new();
    let is_new =
        |request: &&Request| asked.insert(key(config, request)) && !cache.has(config, request);
    let open: Vec<&Request> = requests.iter().filter(is_new).collect();
    if open.is_empty() {
        return Ok(());
    }
    let endpoint = Endpoint::new(config)?;
    let queue = Queue {
        endpoint: &endpoint,
        open: &open,
        next: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let (sender, replies) = channel();
        for _ in 0..config.parallel.min(open.len()) {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || queue.work(&sender));
        }
        // Its own end would keep the channel open for ever.
        drop(sender);
        for (done, (place, phrase)) in (1..).zip(replies) {
            let kept = phrase.and_then(|phrase| cache.put(key(config, open[place]), phrase));
            if kept.is_err() {
                queue.is_over.store(true, Ordering::Relaxed);
                return kept;
            }
            (context.progress)(Progress::Varying {
                done,
                total: open.len() as u64,
            });
        }
        Ok(())
    })
}

/// Requests that several threads take from.
struct Queue<'a> {
    endpoint: &'a Endpoint<'a>,
    open: &'a [&'a Request],
    next: AtomicUsize,
    is_over: AtomicBool,
}

impl Queue<'_> {
    fn work(&self, replies: &Sender<(usize, Result<Option<String>>)>) {
        while !self.is_over.load(Ordering::Relaxed) {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = self.open.get(place) else {
                return;
            };
            // Nobody listens any more after a fault.
            if replies
                .send((place, self.endpoint.phrase(request)))
                .is_err()
            {
                return;
            }
        }
    }
}

/// An OpenAI-compatible server.
struct Endpoint<'c> {
    config: &'c ParaphraseConfig,
    agent: Agent,
    address: String,
    key: Option<String>,
}

/// The part of a reply that is read.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: String,
}

impl<'c> Endpoint<'c> {
    fn new(config: &'c ParaphraseConfig) -> Result<Self> {
        let read = |variable: &String| {
            std::env::var(variable).map_err(|_| Error::NoKey {
                variable: variable.clone(),
            })
        };
        let agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(config.timeout)))
            // The text of a refusal says more than its number.
            .http_status_as_error(false)
            .build();
        Ok(Self {
            config,
            agent: agent.into(),
            address: format!("{}/chat/completions", config.url.trim_end_matches('/')),
            key: config.key_variable.as_ref().map(read).transpose()?,
        })
    }

    /// The words for a request; none where no reply held what it must.
    fn phrase(&self, request: &Request) -> Result<Option<String>> {
        for attempt in 0..self.config.attempts {
            let reply = self.reply(request, attempt)?;
            if let Some(phrase) = request.accept(&reply) {
                return Ok(Some(phrase));
            }
        }
        Ok(None)
    }

    fn reply(&self, request: &Request, attempt: usize) -> Result<String> {
        let body = json!({
            "model": self.config.model,
            // A server that draws from a seed would give a refused reply again.
            "seed": attempt,
            "messages": [
                {"role": "system", "content": self.config.instruction},
                {"role": "user", "content": request.sentence},
            ],
        });
        let mut post = self
            .agent
            .post(&self.address)
            .header("content-type", "application/json");
        if let Some(key) = &self.key {
            post = post.header("authorization", format!("Bearer {key}"));
        }
        let mut response = post
            .send(body.to_string())
            .map_err(|error| self.fault(error.to_string()))?;
        let text = response.body_mut().read_to_string();
        let text = text.map_err(|error| self.fault(error.to_string()))?;
        let status = response.status();
        if !status.is_success() {
            let start: String = text.chars().take(200).collect();
            return Err(self.fault(format!("status {}: {start}", status.as_u16())));
        }
        let completion: Completion = serde_json::from_str(&text)
            .map_err(|error| self.fault(format!("no completion: {error}")))?;
        let first = completion.choices.into_iter().next();
        first
            .map(|choice| choice.message.content)
            .ok_or_else(|| self.fault("a completion without choices".to_owned()))
    }

    fn fault(&self, cause: String) -> Error {
        Error::Endpoint {
            address: self.address.clone(),
            cause,
        }
    }
}
