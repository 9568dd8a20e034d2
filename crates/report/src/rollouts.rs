//! The responses of a run, in blocks that are unpacked when they are looked at, and an index to find them by.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use rerec_policy::Finish;
use rerec_rewards::Flag;
use rerec_text::QueryId;
use rerec_trainer::{GroupKind, GroupRecord, ResponseRecord, files};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::Result;
use crate::packing::pack;
use crate::reading::each;

/// Size of a block before it is packed, in bytes: it is unpacked in a few milliseconds.
const BLOCK: usize = 256 << 10;
/// The most bytes of `rollouts.jsonl` that go into a page, of which they take a quarter. Of more, whole queries are left out.
pub(crate) const MOST: u64 = 256 << 20;

/// The responses of a run.
#[derive(Debug, Default)]
pub(crate) struct Rollouts {
    pub(crate) index: Index,
    /// Lists of groups.
    pub(crate) blocks: Vec<String>,
    /// Of so many queries one is kept; 1: all are.
    pub(crate) every: u64,
    /// Preference scores of right and of wrong answers.
    pub(crate) preference: [Scores; 2],
    open: Vec<Box<serde_json::value::RawValue>>,
    open_bytes: usize,
    places: Places,
}

/// Positions of what the index counts.
#[derive(Debug, Default)]
struct Places {
    queries: HashMap<QueryId, usize>,
    classes: HashMap<String, usize>,
    flags: BTreeMap<Flag, usize>,
}

/// Sum and number.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Scores {
    pub(crate) sum: f64,
    pub(crate) count: usize,
}

/// What groups and responses are found by, in columns.
#[derive(Debug, Serialize)]
pub(crate) struct Index {
    pub(crate) queries: Vec<QueryId>,
    pub(crate) classes: Vec<String>,
    /// The names of a response's bits, lowest first.
    pub(crate) flags: Vec<String>,
    pub(crate) groups: Groups,
    pub(crate) responses: Responses,
}

/// One entry for each group, in the order of the file.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Groups {
    pub(crate) step: Vec<u64>,
    epoch: Vec<u32>,
    query: Vec<usize>,
    class: Vec<usize>,
    kind: Vec<GroupKind>,
    block: Vec<usize>,
    /// Its responses.
    size: Vec<usize>,
}

/// One entry for each response, group by group.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Responses {
    pub(crate) outcome: Vec<Outcome>,
    /// Bits by their places in [`Index::flags`].
    flags: Vec<u32>,
    /// Reward, in thousandths; 0 where it could not be scored.
    reward: Vec<i64>,
}

/// What became of a response, by its number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Wrong,
    Right,
    WithoutAnswer,
    NotScored,
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

/// Flags that are none of the reward's, at the lowest bits.
const PENALISED: &str = "penalised step";
pub(crate) const CUT_OFF: &str = "cut off";
/// What the page calls responses without a reward.
pub(crate) const NOT_SCORED: &str = "not scored";

impl Default for Index {
    fn default() -> Self {
        Self {
            queries: Vec::new(),
            classes: Vec::new(),
            flags: [PENALISED, CUT_OFF].map(str::to_owned).to_vec(),
            groups: Groups::default(),
            responses: Responses::default(),
        }
    }
}

impl Rollouts {
    /// Reads and packs the responses of a run; at most some `most` bytes of them.
    ///
    /// # Errors
    /// A group that cannot be packed.
    pub(crate) fn of(folder: &Path, most: u64, notes: &mut Vec<String>) -> Result<Self> {
        let path = folder.join(files::ROLLOUTS);
        let bytes = fs::metadata(&path).map_or(0, |file| file.len());
        let mut rollouts = Self {
            every: bytes.div_ceil(most).max(1),
            ..Self::default()
        };
        let mut fault = None;
        each(&path, notes, |group: GroupRecord| {
            if rollouts.keeps(&group.query) {
                fault = fault.take().or(rollouts.push(&group).err());
            }
        });
        rollouts.close_block()?;
        fault.map_or(Ok(rollouts), Err)
    }

    /// By the query's id, so that a query that is kept can be followed through all epochs.
    fn keeps(&self, query: &QueryId) -> bool {
        // The same queries in every run.
        xxh3_64(query.as_bytes()).is_multiple_of(self.every)
    }

    fn push(&mut self, group: &GroupRecord) -> Result<()> {
        let json = serde_json::value::to_raw_value(group)?;
        if self.open_bytes + json.get().len() > BLOCK {
            self.close_block()?;
        }
        self.open_bytes += json.get().len();
        self.open.push(json);
        self.enter(group);
        Ok(())
    }

    fn close_block(&mut self) -> Result<()> {
        if !self.open.is_empty() {
            self.blocks.push(pack(&self.open)?);
            self.open.clear();
            self.open_bytes = 0;
        }
        Ok(())
    }

    fn enter(&mut self, group: &GroupRecord) {
        let (index, places) = (&mut self.index, &mut self.places);
        let query = *places
            .queries
            .entry(group.query.clone())
            .or_insert_with(|| {
                index.queries.push(group.query.clone());
                index.queries.len() - 1
            });
        let class = group.class.label();
        let class = *places.classes.entry(class.to_owned()).or_insert_with(|| {
            index.classes.push(class.to_owned());
            index.classes.len() - 1
        });
        let groups = &mut index.groups;
        groups.step.push(group.step);
        groups.epoch.push(group.epoch);
        groups.query.push(query);
        groups.class.push(class);
        groups.kind.push(group.kind);
        groups.block.push(self.blocks.len());
        groups.size.push(group.responses.len());
        group
            .responses
            .iter()
            .for_each(|response| self.enter_response(response));
    }

    fn enter_response(&mut self, response: &ResponseRecord) {
        let penalised = response.steps.iter().any(|step| step.penalised);
        let mut bits = u32::from(penalised) | u32::from(response.finish == Finish::Length) << 1;
        for &flag in response.reward.iter().flat_map(|reward| &reward.flags) {
            let names = &mut self.index.flags;
            let place = *self.places.flags.entry(flag).or_insert_with(|| {
                names.push(flag.name().replace('_', " "));
                names.len() - 1
            });
            bits |= 1 << place;
        }
        let outcome = match &response.reward {
            None => Outcome::NotScored,
            Some(reward) if reward.hit => Outcome::Right,
            Some(reward) if reward.answer.is_none() => Outcome::WithoutAnswer,
            Some(_) => Outcome::Wrong,
        };
        let reward = response.reward.as_ref();
        if let Some(score) = reward.and_then(|reward| reward.preference_alignment) {
            let scores = &mut self.preference[usize::from(outcome != Outcome::Right)];
            if matches!(outcome, Outcome::Right | Outcome::Wrong) {
                (scores.sum, scores.count) = (scores.sum + score, scores.count + 1);
            }
        }
        let responses = &mut self.index.responses;
        responses.outcome.push(outcome);
        responses.flags.push(bits);
        let total = reward.map_or(0.0, |reward| reward.total);
        responses.reward.push((1000.0 * total).round() as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packing::unpack;

    fn group(query: &str, step: u64, text: &str) -> GroupRecord {
        let response = serde_json::json!({
            "sample": 0, "text": text, "tokens": 3, "finish": "length", "log_prob": -1.0, "steps": [],
            "reward": {"query": query, "format": -0.5, "ndcg": 0.0, "ranking": -0.5, "query_alignment": null,
                "preference_alignment": null, "total": -0.55, "hit": false, "flags": ["no_box"], "answer": null},
        });
        let group = serde_json::json!({
            "step": step, "epoch": 1, "query": query, "class": "explicit", "kind": "without_signal",
            "responses": [response],
        });
        serde_json::from_value(group).unwrap()
    }

    fn written(groups: &[GroupRecord]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let lines = groups
            .iter()
            .map(|group| serde_json::to_string(group).unwrap() + "\n");
        std::fs::write(
            folder.path().join(files::ROLLOUTS),
            lines.collect::<String>(),
        )
        .unwrap();
        folder
    }

    #[test]
    fn groups_are_found_by_the_index() {
        let long = "x".repeat(BLOCK);
        let folder = written(&[
            group("a", 1, "short"),
            group("b", 1, &long),
            group("a", 2, "short"),
        ]);
        let rollouts = Rollouts::of(folder.path(), MOST, &mut Vec::new()).unwrap();
        let index = &rollouts.index;
        assert_eq!(index.queries, ["a", "b"]);
        assert_eq!(
            (&index.groups.query[..], &index.groups.step[..]),
            (&[0, 1, 0][..], &[1, 1, 2][..])
        );
        // The long group does not fit beside another one.
        assert_eq!(
            (&index.groups.block[..], rollouts.blocks.len()),
            (&[0, 1, 2][..], 3)
        );
        assert_eq!(unpack(&rollouts.blocks[2])[0]["step"], 2);
        // Cut off, and without a box: the second and the third bit.
        assert_eq!(index.flags, ["penalised step", "cut off", "no box"]);
        assert_eq!(
            (index.responses.flags[0], index.responses.reward[0]),
            (0b110, -550)
        );
        assert_eq!(index.responses.outcome[0], Outcome::WithoutAnswer);
    }

    #[test]
    fn of_too_many_responses_whole_queries_are_kept() {
        let groups: Vec<GroupRecord> = (0..400)
            .map(|place| group(&format!("query-{}", place % 200), 1 + place / 200, "text"))
            .collect();
        let folder = written(&groups);
        let bytes = fs::metadata(folder.path().join(files::ROLLOUTS))
            .unwrap()
            .len();
        let rollouts = Rollouts::of(folder.path(), bytes.div_ceil(4), &mut Vec::new()).unwrap();
        let kept = rollouts.index.queries.len();
        assert_eq!(
            (rollouts.every, rollouts.index.groups.step.len()),
            (4, 2 * kept)
        );
        assert!((20..80).contains(&kept), "{kept} of 200");
    }
}
