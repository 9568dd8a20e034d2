//! The configuration of a small run.

use std::path::Path;

/// A run of seconds with further settings at its top and so many steps of reinforcement.
pub(crate) fn tiny(runs: &Path, top: &str, steps: u64) -> String {
    format!(
        r#"
name = "tiny"
seed = 5
threads = 1
runs = {runs:?}
{top}

[data.quickstart]
items = 60
users = 40
queries = {{ train = 12, validation = 4, test = 6 }}
demonstrator.drills = 8

[model]
kind = "fresh"
vocab_size = 420
hidden_size = 32
intermediate_size = 64
layers = 1
heads = 2
kv_heads = 1
max_positions = 1024

[warm_start]
steps = 2
demonstrations = 2
drills = 2
learning_rate = 1e-3
warmup = 1

[embeddings.lightgcn]
dimension = 8
max_epochs = 2

[curriculum]
batch_size = 4

[reinforcement]
epochs = 2
max_steps = {steps}
samples = 2
temperature = 1.0
max_new_tokens = 12
mini_batches = 1
learning_rate = 1e-3
warmup = 0
"#
    )
}
