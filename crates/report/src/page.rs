//! The page: one file that holds everything it shows.

use std::fmt::Write;
use std::path::Path;

use rerec_rewards::RewardWeights;
use serde::Serialize;

use crate::charts::{Chart, Difficulty, difficulties};
use crate::comparison::{Paired, between};
use crate::epochs::{Epoch, epochs};
use crate::error::Result;
use crate::glance::Glance;
use crate::packing::pack;
use crate::reading::{Reading, readings};
use crate::rollouts::Rollouts;

/// Narrow windows and paper come last: they override the rest.
const STYLES: [&str; 5] = [
    include_str!("../assets/page.css"),
    include_str!("../assets/overview.css"),
    include_str!("../assets/curves.css"),
    include_str!("../assets/rollouts.css"),
    include_str!("../assets/media.css"),
];
/// Built by npm from the TypeScript in `page/`.
const SCRIPT: &str = include_str!("../assets/page.js");

/// What is read at once; responses and queries follow when they are looked at.
#[derive(Debug, Serialize)]
struct Head<'a> {
    runs: Vec<RunHead<'a>>,
    comparisons: Vec<Paired>,
}

#[derive(Debug, Serialize)]
struct RunHead<'a> {
    name: &'a str,
    folder: String,
    glance: Glance,
    charts: Vec<Chart>,
    epochs: Vec<Epoch>,
    difficulties: Vec<Difficulty>,
    /// Weights of the reward's parts; NDCG has weight 1.
    weights: Option<RewardWeights>,
    rollouts: RolloutsHead,
}

#[derive(Debug, Serialize)]
struct RolloutsHead {
    groups: usize,
    responses: usize,
    queries: usize,
    blocks: usize,
    /// Bytes of the page that they take.
    bytes: usize,
    /// Of so many queries one is in the page.
    every: u64,
}

/// A run with its responses packed.
struct Part {
    reading: Reading,
    rollouts: Rollouts,
    index: String,
    queries: String,
}

impl Part {
    fn of(mut reading: Reading, most: u64) -> Result<Self> {
        let rollouts = Rollouts::of(&reading.folder, most, &mut reading.notes)?;
        let kept: std::collections::HashSet<_> = rollouts.index.queries.iter().collect();
        reading.queries.retain(|query| kept.contains(&query.query));
        Ok(Self {
            index: pack(&rollouts.index)?,
            queries: pack(&reading.queries)?,
            reading,
            rollouts,
        })
    }

    fn head(&self) -> RunHead<'_> {
        let (reading, rollouts) = (&self.reading, &self.rollouts);
        let packed = rollouts.blocks.iter().map(String::len).sum::<usize>();
        RunHead {
            name: &reading.name,
            folder: reading.folder.display().to_string(),
            glance: Glance::of(reading, rollouts, reading.notes.clone()),
            charts: reading.charts(),
            epochs: epochs(&reading.metrics),
            difficulties: difficulties(&reading.epochs),
            weights: reading.config.as_ref().map(|config| config.reward.weights),
            rollouts: RolloutsHead {
                groups: rollouts.index.groups.step.len(),
                responses: rollouts.index.responses.outcome.len(),
                queries: rollouts.index.queries.len(),
                blocks: rollouts.blocks.len(),
                bytes: packed + self.index.len() + self.queries.len(),
                every: rollouts.every,
            },
        }
    }
}

/// The page of runs; of each at most some `most` bytes of responses.
///
/// # Errors
/// A folder without records, data that cannot be packed.
pub(crate) fn page(folders: &[impl AsRef<Path>], most: u64) -> Result<String> {
    let parts = readings(folders)?.into_iter();
    let parts: Vec<Part> = parts
        .map(|reading| Part::of(reading, most))
        .collect::<Result<_>>()?;
    let read: Vec<&Reading> = parts.iter().map(|part| &part.reading).collect();
    let head = Head {
        runs: parts.iter().map(Part::head).collect(),
        comparisons: between(&read),
    };
    let names: Vec<&str> = head.runs.iter().map(|run| run.name).collect();
    let mut data = data_element("head", &pack(&head)?);
    for (place, part) in parts.iter().enumerate() {
        data += &data_element(&format!("index-{place}"), &part.index);
        data += &data_element(&format!("queries-{place}"), &part.queries);
        for (block, packed) in part.rollouts.blocks.iter().enumerate() {
            data += &data_element(&format!("block-{place}-{block}"), packed);
        }
    }
    Ok(document(&escape(&names.join(", ")), &data))
}

/// Base64 has no character that HTML would read as markup.
fn data_element(id: &str, packed: &str) -> String {
    format!("<script type=\"text/plain\" id=\"{id}\">{packed}</script>\n")
}

fn document(title: &str, data: &str) -> String {
    let styles = STYLES.join("\n");
    // No request leaves the page, whatever its data hold: nothing may be loaded, and only its own script runs.
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
    let mut page = String::with_capacity(data.len() + SCRIPT.len() + styles.len() + 2048);
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>ReRec: {title}</title>\n\
         <style>\n{styles}</style>\n</head>\n<body>\n<div id=\"page\"></div>\n\
         <noscript>This page draws itself from the data in it, and needs JavaScript for that.</noscript>\n\
         {data}<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    );
    page
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
