//! Runs without a model: a script answers, better and better, and now and then as badly as a model can.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rerec::Assessor;
use rerec_datasets::Dataset;
use rerec_policy::{Cue, ScriptedPolicy, TokenSplit};
use rerec_text::QueryId;
use rerec_trainer::{Engine, Silent, Task, TrainConfig, Trainer};

/// Text that would be markup, would turn the page round or would end its script, if it were not taken for text.
pub(crate) const HOSTILE: &str = "<script>document.title = \"taken\"</script></script><img src=x onerror=\"document.title='taken'\">\u{2028}\u{202e}right to left\u{202c}\0 &amp; <!-- שלום 👩‍🍳";

const SETTINGS: &str = r#"
seed = 5
embeddings = { lightgcn = { dimension = 8, max_epochs = 4 } }

[data.quickstart]
items = 60
directors = 8
actors = 8
users = 60
queries = { train = 40, validation = 20, test = 40 }

[model]
kind = "fresh"
vocab_size = 420
hidden_size = 8
intermediate_size = 8
layers = 1
heads = 1
kv_heads = 1
max_positions = 64

[warm_start]
steps = 0
demonstrations = 1
drills = 0
learning_rate = 1.0
warmup = 0

[reward]
weights = { format = 0.1, query = 0.1, preference = 0.05 }

[curriculum]
batch_size = 4

[reinforcement]
queries = 24
epochs = 4
samples = 6
temperature = 1.0
max_new_tokens = 60
mini_batches = 1
learning_rate = 0.5
warmup = 2

[evaluation]
every = 2
"#;

/// A finished run named `name`; `talent` is what the script knows beforehand, in [0, 1].
pub(crate) fn run(runs: &Path, name: &str, talent: f64) -> PathBuf {
    let settings = format!("name = {name:?}\nruns = {runs:?}\n{SETTINGS}");
    let path = runs.join("settings.toml");
    std::fs::write(&path, settings).unwrap();
    let config = TrainConfig::from_file(&path, &[]).unwrap();
    let data = config.data.load(config.seed).unwrap();
    let reward = config
        .reward_source()
        .build(&data, None, &mut Silent)
        .unwrap();
    let assessor = Assessor::new(config.assessor(), &data.catalogue, reward).unwrap();
    let mut policy = policy(&data, talent);
    let task = Task {
        dataset: &data,
        assessor: &assessor,
        engine: Engine::One(&mut policy),
    };
    let trainer = Trainer::new(&config, task).unwrap();
    trainer.run(&mut Silent).unwrap();
    config.run_folder()
}

/// Titles of a query's right item and of the others.
type Choices = HashMap<QueryId, (String, Vec<String>)>;

fn choices(data: &Dataset) -> Choices {
    let title = |id: &_| {
        let item = data.catalogue.index_of(id).unwrap();
        data.catalogue.get(item).title.clone()
    };
    data.splits
        .queries()
        .map(|query| {
            let wrong = query.candidates.iter().flatten();
            let wrong = wrong.filter(|id| !query.targets.contains(id)).map(&title);
            (
                query.id.clone(),
                (title(&query.targets[0]), wrong.collect()),
            )
        })
        .collect()
}

fn policy(data: &Dataset, talent: f64) -> ScriptedPolicy {
    let choices = choices(data);
    ScriptedPolicy::new(move |cue| respond(cue, &choices, talent)).with_tokens(TokenSplit::Words)
}

fn respond(cue: Cue<'_>, choices: &Choices, talent: f64) -> String {
    let (right, wrong) = &choices[cue.query];
    let epoch = cue.sampling.purpose.as_str();
    let draw = |what: &str| chance(&[cue.query.as_str(), epoch, &cue.sample.to_string(), what]);
    let skill = talent + cue.lessons.len() as f64 / 40.0;
    let hardness = chance(&[cue.query.as_str(), "hardness"]);
    let other = &wrong[(draw("other") * wrong.len() as f64) as usize];
    let first = format!("The user names what the film must have, and {other} comes to mind first.");
    if draw("right") < skill * (1.2 - hardness) {
        return format!("{first}\nBut {right} has all of it.\n\\boxed{{{right}}}");
    }
    let hedge = format!("{right} may be meant, but {other} is better known.");
    match (8.0 * draw("mistake")) as u32 {
        0 => format!("{first}\nNone of them convinces, so there is no answer."),
        1 => format!(
            "{first}\nThe best is one that nobody listed.\n\\boxed{{The Unlisted Film (1999)}}"
        ),
        2 => format!(
            "{}\n\\boxed{{{other}}}",
            "and so on, film after film, ".repeat(12)
        ),
        3 => format!("{HOSTILE}\n{other} it is.\n\\boxed{{{other}}}"),
        _ => format!("{first}\n{hedge}\n\\boxed{{{other}}}"),
    }
}

/// A number in [0, 1) that follows from the words.
fn chance(words: &[&str]) -> f64 {
    let hash = xxhash_rust::xxh3::xxh3_64(words.join("\n").as_bytes());
    (hash >> 11) as f64 / (1u64 << 53) as f64
}
