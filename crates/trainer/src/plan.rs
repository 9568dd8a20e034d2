//! What a run will do and need, known before any long work.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use rerec_datasets::{Dataset, Query};
use rerec_policy::{DecoderPolicy, Device, MemoryEstimate, StepSize};
use serde::Serialize;

use crate::config::TrainConfig;
use crate::error::Result;
use crate::job::emulated;
use crate::ledger;
use crate::prompt_lengths::PromptLengths;

/// What a run will do and need: found out from its settings, the data and the model's shape, without reading a weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Queries by split and class.
    pub queries: BTreeMap<&'static str, BTreeMap<String, usize>>,
    /// Demonstrations for the warm start.
    pub demonstrations: usize,
    /// Optimiser steps of the warm start.
    pub warm_start_steps: u64,
    /// The most steps of reinforcement; fewer where queries are mastered.
    pub steps: u64,
    /// Responses sampled in each.
    pub responses_per_step: usize,
    /// Mean length of the prompts, in tokens.
    pub mean_prompt_tokens: f64,
    /// Longest prompt, in tokens.
    pub longest_prompt_tokens: usize,
    /// Longest response, in tokens.
    pub max_new_tokens: usize,
    /// Tokens that the model has room for.
    pub context: usize,
    /// Weights of the model, in millions.
    pub million_weights: f64,
    /// The memory that training takes, in bytes.
    pub memory: MemoryEstimate,
    /// The memory that is free now, in bytes; none for a GPU, and where the system does not say.
    pub free_memory: Option<u64>,
    /// What keeps the run from beginning.
    pub faults: Vec<String>,
    /// What a person should know before it begins.
    pub remarks: Vec<String>,
}

impl Plan {
    /// Reads the data, and shape and tokenizer of the model.
    ///
    /// # Errors
    /// Settings that are at fault or contradict each other or the data; files that are missing or malformed.
    pub fn new(config: &TrainConfig) -> Result<Self> {
        config.validate()?;
        let mut dataset = config.data.load(config.seed)?;
        config.check_against(&dataset)?;
        let (model, tokenizer) =
            DecoderPolicy::outline(&config.model, &config.policy, dataset.corpus())?;
        let rl = &config.reinforcement;
        let room = model.max_position_embeddings;
        let lengths = PromptLengths::new(&dataset, &tokenizer, room, rl.max_new_tokens)?;
        let mut remarks = dataset.remarks.clone();
        let mut faults = faults(config);
        match lengths.settle(&mut dataset, config) {
            Ok(more) => remarks.extend(more),
            Err(fault) => faults.push(fault.to_string()),
        }
        remarks.extend(emulated(config));
        let splits = &dataset.splits;
        let step = StepSize {
            prompts: config.curriculum.batch_size,
            samples: rl.samples,
            prompt_tokens: lengths.longest,
            new_tokens: rl.max_new_tokens,
            evaluated: splits.validation.len().max(splits.test.len()),
        };
        let memory = MemoryEstimate::of(&model, &config.policy, step);
        let is_cpu = config.policy.device == Device::Cpu;
        let free_memory = if is_cpu { free_memory() } else { None };
        if free_memory.is_some_and(|free| memory.peak() > free) {
            remarks.push(TOO_LARGE.to_owned());
        }
        Ok(Self {
            queries: queries(&dataset),
            demonstrations: dataset.demonstrations.len(),
            warm_start_steps: config.warm_start.all_steps(),
            steps: steps(config, &dataset),
            responses_per_step: config.curriculum.batch_size * rl.samples,
            mean_prompt_tokens: lengths.mean,
            longest_prompt_tokens: lengths.longest,
            max_new_tokens: rl.max_new_tokens,
            context: room,
            million_weights: model.parameters() as f64 / 1e6,
            memory,
            free_memory,
            faults,
            remarks,
        })
    }

    /// Whether nothing is known that would keep the run from beginning.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

const TOO_LARGE: &str = "training will likely not fit into the memory that is free: lower policy.micro_batch_tokens or \
                         policy.generation_rows, set policy.gradient_checkpointing, or train adapters by policy.lora";

/// What a run would refuse of its folder and its engine.
fn faults(config: &TrainConfig) -> Vec<String> {
    let checks = [
        ledger::refuse_used(&config.run_folder()),
        config.reinforcement.check_for_one_engine(),
    ];
    let faults = checks.into_iter().filter_map(Result::err);
    faults.map(|fault| fault.to_string()).collect()
}

fn queries(dataset: &Dataset) -> BTreeMap<&'static str, BTreeMap<String, usize>> {
    let by_class = |queries: &[Query]| {
        let mut classes = BTreeMap::new();
        for query in queries {
            *classes.entry(query.class.label().to_owned()).or_default() += 1;
        }
        classes
    };
    let splits = dataset.splits.named().into_iter();
    splits
        .map(|(name, queries)| (name, by_class(queries)))
        .collect()
}

/// The most steps: every epoch asks all queries.
fn steps(config: &TrainConfig, dataset: &Dataset) -> u64 {
    let rl = &config.reinforcement;
    let queries = dataset
        .splits
        .train
        .len()
        .min(rl.queries.unwrap_or(usize::MAX));
    let by_epochs = queries.div_ceil(config.curriculum.batch_size) as u64 * u64::from(rl.epochs);
    rl.max_steps.map_or(by_epochs, |most| most.min(by_epochs))
}

/// Bytes that can be taken without swapping, as Linux tells them.
fn free_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for split in ["train", "validation", "test"] {
            let classes = self.queries.get(split).into_iter().flatten();
            let counts: Vec<String> = classes
                .clone()
                .map(|(class, count)| format!("{class} {count}"))
                .collect();
            let total: usize = classes.map(|(_, count)| count).sum();
            writeln!(f, "{split:<12} {total} queries ({})", counts.join(", "))?;
        }
        writeln!(
            f,
            "{:<12} {} steps on {} demonstrations",
            "warm start", self.warm_start_steps, self.demonstrations
        )?;
        writeln!(
            f,
            "{:<12} at most {} steps of {} responses",
            "reinforcement", self.steps, self.responses_per_step
        )?;
        writeln!(
            f,
            "{:<12} {:.0} tokens on average, {} at most; with {} new ones of the {} that the model has room for",
            "prompts",
            self.mean_prompt_tokens,
            self.longest_prompt_tokens,
            self.max_new_tokens,
            self.context
        )?;
        writeln!(
            f,
            "{:<12} {:.2} million weights",
            "model", self.million_weights
        )?;
        self.write_memory(f)?;
        self.remarks
            .iter()
            .try_for_each(|remark| writeln!(f, "note: {remark}"))?;
        self.faults
            .iter()
            .try_for_each(|fault| writeln!(f, "fault: {fault}"))
    }
}

impl Plan {
    fn write_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gigabytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1e9);
        let memory = &self.memory;
        write!(
            f,
            "{:<12} some {} GB: weights {}, reference {}, gradients and moments {}, activations {} or cache {}",
            "memory",
            gigabytes(memory.peak()),
            gigabytes(memory.weights),
            gigabytes(memory.reference),
            gigabytes(memory.training),
            gigabytes(memory.activations),
            gigabytes(memory.cache)
        )?;
        match self.free_memory {
            Some(free) => writeln!(f, "; {} GB are free", gigabytes(free)),
            None => writeln!(f),
        }
    }
}
