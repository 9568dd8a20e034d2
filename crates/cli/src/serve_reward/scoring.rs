//! Scoring away from the threads that speak HTTP, so many requests at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hyper::body::Bytes;
use rayon::prelude::*;
use rerec_rewards::RewardBreakdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Limits;
use super::protocol::{Asked, Protocol, Refusal};
use crate::score::Scorer;

/// The reward, and what was made of it so far.
pub(super) struct Service {
    scorer: Scorer,
    /// Requests under way and those that wait for their turn.
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    at_once: usize,
    max_body: usize,
    started: Instant,
    requests: AtomicU64,
    responses: AtomicU64,
    refused: AtomicU64,
}

/// The right to be read and scored, until it is dropped.
pub(super) struct Turn {
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

impl Service {
    pub(super) fn new(scorer: Scorer, limits: Limits) -> Self {
        Self {
            scorer,
            places: Arc::new(Semaphore::new(limits.at_once + limits.waiting)),
            turns: Arc::new(Semaphore::new(limits.at_once)),
            at_once: limits.at_once,
            max_body: limits.max_body,
            started: Instant::now(),
            requests: AtomicU64::new(0),
            responses: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Waits until fewer requests than allowed are under way; none where too many wait already.
    pub(super) async fn turn(&self) -> Option<Turn> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let turn = self.turns.clone().acquire_owned().await.ok()?;
        Some(Turn {
            _place: place,
            _turn: turn,
        })
    }

    /// Answers a request; the turn is over when it is scored, also if nobody waits for the answer any more.
    pub(super) async fn score(
        self: &Arc<Self>,
        protocol: Protocol,
        body: Bytes,
        turn: Turn,
    ) -> Result<String, Refusal> {
        let service = self.clone();
        let scored = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            service.score_now(protocol, &body)
        });
        match scored.await {
            Ok(answer) => answer,
            Err(error) => Err(Refusal::Fault(format!("scoring failed: {error}"))),
        }
    }

    fn score_now(&self, protocol: Protocol, body: &[u8]) -> Result<String, Refusal> {
        let asked = protocol.read(body)?;
        let rewards = asked.par_iter().enumerate().with_min_len(64);
        let rewards = rewards.map(|(place, asked)| self.reward(protocol, place, asked));
        let rewards: Vec<RewardBreakdown> = rewards.collect::<Result<_, _>>()?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.responses
            .fetch_add(rewards.len() as u64, Ordering::Relaxed);
        Ok(protocol.write(&rewards))
    }

    fn reward(
        &self,
        protocol: Protocol,
        place: usize,
        asked: &Asked,
    ) -> Result<RewardBreakdown, Refusal> {
        let scored = self.scorer.score("", &asked.response, &asked.question);
        scored.map_err(|rejection| {
            let place = protocol.place(place);
            Refusal::Data(format!("{place}: {}", rejection.cause()))
        })
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// What the health page says.
    pub(super) fn health(&self) -> String {
        serde_json::json!({
            "status": "ok",
            "uptime_seconds": self.started.elapsed().as_secs(),
            "requests": self.requests.load(Ordering::Relaxed),
            "responses": self.responses.load(Ordering::Relaxed),
            "refused": self.refused.load(Ordering::Relaxed),
            "under_way": self.at_once - self.turns.available_permits(),
            "at_once": self.at_once,
            "max_body": self.max_body,
        })
        .to_string()
    }
}
