//! Prompts with instructions that can be checked.

use super::instruction::Instruction;

/// What is asked for, before any instruction.
const TASKS: [&str; 21] = [
    "Write a short note to a neighbour about a lost cat.",
    "Explain how to boil an egg.",
    "Describe a rainy afternoon in a small town.",
    "Recommend a hobby to somebody who has just retired.",
    "Tell a friend why you like trains.",
    "Describe what a librarian does in a day.",
    "Explain why the sky is dark at night.",
    "Write an invitation to a garden party.",
    "Give advice to somebody who learns to swim.",
    "Tell a very short story about a lighthouse.",
    "Describe your favourite kind of weather.",
    "Explain what a compass is for.",
    "Write about the first day at a new school.",
    "Describe how bread is made.",
    "Tell a tourist what to see in an old harbour.",
    "Explain why people keep diaries.",
    "Write a message that thanks a doctor.",
    "Describe a market on a Saturday morning.",
    "Explain how to plant a tree.",
    "Write about a walk in the mountains.",
    "Tell a child what the moon is.",
];

/// Questions with two answers.
const QUESTIONS: [&str; VARIANTS] = [
    "Is ice colder than steam?",
    "Is the Moon a star?",
    "Can people fly without help?",
    "Is a year longer than a month?",
    "Is a whale a kind of fish?",
    "Do most trees have roots?",
];

/// Prompts for each kind alone.
const VARIANTS: usize = 6;

/// Something to do, and what the answer has to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InstructionPrompt {
    pub(super) text: String,
    pub(super) instructions: Vec<Instruction>,
}

/// Six prompts for each of the 25 kinds, and 24 with two kinds at once: always the same ones.
pub(super) fn prompts() -> Vec<InstructionPrompt> {
    let mut prompts = Vec::new();
    for variant in 0..VARIANTS {
        for (place, instruction) in of_each_kind(variant).into_iter().enumerate() {
            let task = match instruction {
                Instruction::OneOf(_) => QUESTIONS[variant],
                _ => TASKS[(place + 4 * variant) % TASKS.len()],
            };
            prompts.push(InstructionPrompt::new(task, vec![instruction]));
        }
    }
    for variant in 0..2 {
        for (place, pair) in pairs(variant).into_iter().enumerate() {
            let task = TASKS[(place + 11 * variant + 7) % TASKS.len()];
            prompts.push(InstructionPrompt::new(task, pair.to_vec()));
        }
    }
    prompts
}

impl InstructionPrompt {
    fn new(task: &str, instructions: Vec<Instruction>) -> Self {
        let mut text = task.to_owned();
        for instruction in &instructions {
            text.push(' ');
            text.push_str(&instruction.to_string());
        }
        Self { text, instructions }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn of_each_kind(variant: usize) -> [Instruction; 25] {
    use Instruction as I;
    let wanted = [
        ["morning", "quiet"],
        ["green", "window"],
        ["friend", "always"],
        ["small", "water"],
        ["never", "simple"],
        ["before", "light"],
    ];
    let avoided = [
        ["very", "nice"],
        ["good", "and"],
        ["the", "never"],
        ["is", "have"],
        ["you", "your"],
        ["of", "with"],
    ];
    let repeated = ["today", "time", "little", "people", "long", "again"];
    let begun = [
        "Let us begin",
        "In short",
        "First of all",
        "As everybody knows",
        "Dear friend",
        "Once",
    ];
    let ended = [
        "That is all.",
        "Any questions?",
        "Thank you for reading.",
        "What do you think?",
        "The end.",
        "See you soon.",
    ];
    [
        I::WordsAtLeast(60 + 20 * variant),
        I::WordsAtMost(50 - 5 * variant),
        I::SentencesAtMost(1 + variant),
        I::Paragraphs(2 + variant % 3),
        I::Bullets(2 + variant),
        I::NumberedLines(2 + variant),
        I::Sections(2 + variant % 3),
        I::Contains(owned(&wanted[variant])),
        I::Avoids(owned(&avoided[variant])),
        I::Repeats(repeated[variant].to_owned(), 2 + variant % 3),
        I::Letter(['k', 'w', 'p', 'g', 'v', 'y'][variant], 4 + 2 * variant),
        I::Lowercase,
        I::Uppercase,
        I::CapitalWords(1 + variant),
        I::NoCommas,
        I::BeginsWith(begun[variant].to_owned()),
        I::EndsWith(ended[variant].to_owned()),
        I::Quoted,
        I::Title,
        I::Highlights(1 + variant % 3),
        I::Placeholders(1 + variant % 3),
        I::Postscript,
        I::Json,
        I::OneOf(owned(
            &[
                ["Yes.", "No."],
                ["It is true.", "It is false."],
                ["Certainly.", "Not at all."],
            ][variant % 3],
        )),
        I::TwoAnswers,
    ]
}

/// Kinds that can be followed together.
fn pairs(variant: usize) -> [[Instruction; 2]; 12] {
    use Instruction as I;
    [
        [I::Bullets(3 + variant), I::NoCommas],
        [I::Lowercase, I::WordsAtMost(40 - 10 * variant)],
        [I::Title, I::Paragraphs(2 + variant)],
        [I::Quoted, I::SentencesAtMost(2 + variant)],
        [
            I::Postscript,
            I::Contains(owned(&[["winter", "road"], ["music", "table"]][variant])),
        ],
        [
            I::Highlights(1 + variant),
            I::EndsWith(["That is all.", "The end."][variant].to_owned()),
        ],
        [I::Uppercase, I::WordsAtMost(30 - 10 * variant)],
        [
            I::Avoids(owned(&[["very", "really"], ["good", "bad"]][variant])),
            I::WordsAtLeast(60 + 20 * variant),
        ],
        [
            I::BeginsWith(["In short", "Once"][variant].to_owned()),
            I::NoCommas,
        ],
        [
            I::NumberedLines(3 + variant),
            I::Contains(owned(&[["first"], ["last"]][variant])),
        ],
        [
            I::Repeats(["time", "people"][variant].to_owned(), 2),
            I::SentencesAtMost(3 + variant),
        ],
        [I::Placeholders(1 + variant), I::Postscript],
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn all_kinds_are_asked_for_and_no_prompt_twice() {
        let prompts = prompts();
        assert_eq!(prompts.len(), 174);
        let texts: BTreeSet<&str> = prompts.iter().map(|prompt| &*prompt.text).collect();
        assert_eq!(texts.len(), prompts.len());
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for instruction in prompts.iter().flat_map(|prompt| &prompt.instructions) {
            *kinds.entry(instruction.kind()).or_default() += 1;
        }
        assert_eq!(kinds.len(), 25);
        assert!(kinds.values().all(|&asked| asked >= VARIANTS), "{kinds:?}");
    }
}
