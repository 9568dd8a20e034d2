//! Scores of a test of general abilities, and two models' side by side.

use std::collections::BTreeMap;
use std::fmt;

use rerec_trainer::{Abilities, InstructionAnswer, PassageScore, QuestionAnswer};
use serde::Serialize;

use crate::bootstrap::{Estimate, bootstrap_mean};
use crate::statistics::Pairs;

/// Scores of a test of general abilities, with 95 % intervals: Wilson's of shares, the percentile bootstrap's over passages of bits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AbilityCard {
    /// Prompts with instructions.
    pub prompts: usize,
    /// Share of the prompts of which every instruction is followed.
    pub prompts_followed: Estimate,
    /// Share of the instructions that are followed, each by itself.
    pub instructions_followed: Estimate,
    /// Instructions followed and asked for, by kind.
    pub kinds: BTreeMap<String, KindScore>,
    /// Multiple-choice questions.
    pub questions: usize,
    /// Share of them that a guess gets right.
    pub guess: f64,
    /// Share of them that are right.
    pub questions_right: Estimate,
    /// Passages of prose.
    pub passages: usize,
    /// Bits that a byte of prose takes; the less the better.
    pub bits_per_byte: Estimate,
    /// Mean length of the responses in tokens.
    pub mean_tokens: f64,
}

/// Instructions of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KindScore {
    /// Those that are followed.
    pub followed: usize,
    /// Those asked for.
    pub asked: usize,
}

impl AbilityCard {
    /// Scores a test; `seed` draws the resamples.
    pub fn of(abilities: &Abilities, seed: u64) -> Self {
        let Abilities {
            instructions,
            questions,
            passages,
        } = abilities;
        let mut kinds: BTreeMap<String, KindScore> = BTreeMap::new();
        for answer in instructions {
            for (instruction, &followed) in answer.instructions.iter().zip(&answer.followed) {
                let score = kinds.entry(instruction.kind().to_owned()).or_default();
                score.followed += usize::from(followed);
                score.asked += 1;
            }
        }
        let sum = |count: fn(&KindScore) -> usize| kinds.values().map(count).sum();
        let (followed, asked) = (sum(|kind| kind.followed), sum(|kind| kind.asked));
        let right = |rights: &mut dyn Iterator<Item = bool>| rights.filter(|&right| right).count();
        let bits: Vec<f64> = passages.iter().map(PassageScore::bits_per_byte).collect();
        let tokens: usize = instructions.iter().map(|answer| answer.tokens).sum();
        Self {
            prompts: instructions.len(),
            prompts_followed: Estimate::of_share(
                right(&mut instructions.iter().map(InstructionAnswer::is_right)),
                instructions.len(),
            ),
            instructions_followed: Estimate::of_share(followed, asked),
            kinds,
            questions: questions.len(),
            guess: questions.iter().map(QuestionAnswer::guess).sum::<f64>()
                / questions.len().max(1) as f64,
            questions_right: Estimate::of_share(
                right(&mut questions.iter().map(QuestionAnswer::is_right)),
                questions.len(),
            ),
            passages: passages.len(),
            bits_per_byte: bootstrap_mean(&bits, seed),
            mean_tokens: tokens as f64 / instructions.len().max(1) as f64,
        }
    }
}

impl fmt::Display for AbilityCard {
    /// Two Markdown tables, intervals in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked: usize = self.kinds.values().map(|kind| kind.asked).sum();
        writeln!(f, "| ability | asked | score |\n|---|---:|---:|")?;
        writeln!(
            f,
            "| prompts followed (%) | {} | {} |",
            self.prompts, self.prompts_followed
        )?;
        writeln!(
            f,
            "| instructions followed (%) | {asked} | {} |",
            self.instructions_followed
        )?;
        let guess = 100.0 * self.guess;
        writeln!(
            f,
            "| questions right (%; a guess {guess:.1}) | {} | {} |",
            self.questions, self.questions_right
        )?;
        writeln!(
            f,
            "| bits per byte of prose | {} | {} |",
            self.passages,
            bits(self.bits_per_byte)
        )?;
        writeln!(
            f,
            "\nResponses have {:.0} tokens on average.\n",
            self.mean_tokens
        )?;
        writeln!(f, "| instruction | asked | followed |\n|---|---:|---:|")?;
        self.kinds.iter().try_for_each(|(kind, score)| {
            writeln!(f, "| {kind} | {} | {} |", score.asked, score.followed)
        })
    }
}

/// Not in percent.
fn bits(Estimate { value, low, high }: Estimate) -> String {
    format!("{value:.3} [{low:.3}, {high:.3}]")
}

/// The second model's abilities less the first's, prompt by prompt, question by question and passage by passage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AbilityComparison {
    /// Prompts of which every instruction is followed.
    pub prompts: PairedShares,
    /// Questions that are right.
    pub questions: PairedShares,
    /// Bits per byte of the second less those of the first, with the paired bootstrap's interval: below 0 the second is better.
    pub bits_per_byte: Estimate,
}

/// Shares of the same things that two models get right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedShares {
    /// Share of the first.
    pub first: f64,
    /// Share of the second.
    pub second: f64,
    /// Second less first, with Newcombe's interval for pairs.
    pub difference: Estimate,
    /// Right by the first alone.
    pub only_first: usize,
    /// Right by the second alone.
    pub only_second: usize,
    /// McNemar's exact p of these two counts.
    pub p: f64,
}

impl AbilityComparison {
    /// Compares two runs of the same test; `seed` draws the resamples.
    pub fn of(first: &Abilities, second: &Abilities, seed: u64) -> Self {
        let prompts = first.instructions.iter().zip(&second.instructions);
        let questions = first.questions.iter().zip(&second.questions);
        let passages = first.passages.iter().zip(&second.passages);
        let bits: Vec<f64> = passages
            .map(|(a, b)| b.bits_per_byte() - a.bits_per_byte())
            .collect();
        Self {
            prompts: PairedShares::of(prompts.map(|(a, b)| (a.is_right(), b.is_right()))),
            questions: PairedShares::of(questions.map(|(a, b)| (a.is_right(), b.is_right()))),
            bits_per_byte: bootstrap_mean(&bits, seed),
        }
    }
}

impl PairedShares {
    fn of(rights: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut pairs = Pairs::default();
        rights.for_each(|(first, second)| pairs.count(first, second));
        let share = |right: usize| right as f64 / pairs.queries().max(1) as f64;
        let (low, high) = pairs.interval();
        Self {
            first: share(pairs.both + pairs.first),
            second: share(pairs.both + pairs.second),
            difference: Estimate {
                value: pairs.difference(),
                low,
                high,
            },
            only_first: pairs.first,
            only_second: pairs.second,
            p: pairs.mcnemar(),
        }
    }
}

impl fmt::Display for AbilityComparison {
    /// A Markdown table, intervals in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| ability | first | second | difference | only first | only second | McNemar's p |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|")?;
        for (name, shares) in [
            ("prompts followed (%)", self.prompts),
            ("questions right (%)", self.questions),
        ] {
            let PairedShares {
                first,
                second,
                difference,
                only_first,
                only_second,
                p,
            } = shares;
            let (first, second) = (100.0 * first, 100.0 * second);
            writeln!(
                f,
                "| {name} | {first:.1} | {second:.1} | {difference} | {only_first} | {only_second} | {p:.3} |"
            )?;
        }
        writeln!(
            f,
            "| bits per byte of prose | | | {} | | | |",
            bits(self.bits_per_byte)
        )
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use rerec_trainer::Instruction;

    use super::*;

    fn prompt(followed: [bool; 2]) -> InstructionAnswer {
        InstructionAnswer {
            prompt: "Explain rain.".to_owned(),
            instructions: vec![Instruction::NoCommas, Instruction::Quoted],
            followed: followed.to_vec(),
            response: "Rain.".to_owned(),
            tokens: 3,
            finish: rerec_policy::Finish::Stop,
        }
    }

    fn question(right: f64) -> QuestionAnswer {
        QuestionAnswer {
            question: "Rain is".to_owned(),
            options: vec!["wet".to_owned(), "dry".to_owned()],
            log_probs: vec![right, -1.0],
        }
    }

    fn abilities(followed: &[[bool; 2]], right: &[f64], log_prob: f64) -> Abilities {
        let passage = PassageScore {
            beginning: "It rains.".to_owned(),
            bytes: 10,
            log_prob,
        };
        Abilities {
            instructions: followed.iter().map(|&one| prompt(one)).collect(),
            questions: right.iter().map(|&one| question(one)).collect(),
            passages: vec![passage; 2],
        }
    }

    #[test]
    fn a_prompt_counts_if_all_of_its_instructions_do() {
        let abilities = abilities(
            &[[true, true], [true, false]],
            &[-0.5, -2.0, -1.0],
            -10.0 * std::f64::consts::LN_2,
        );
        let card = AbilityCard::of(&abilities, 1);
        assert_eq!(card.prompts_followed.value, 0.5);
        assert_eq!(card.instructions_followed.value, 0.75);
        assert_eq!(
            card.kinds["quoted"],
            KindScore {
                followed: 1,
                asked: 2
            }
        );
        // A tie is not right.
        assert_abs_diff_eq!(card.questions_right.value, 1.0 / 3.0);
        assert_eq!(card.guess, 0.5);
        assert_abs_diff_eq!(card.bits_per_byte.value, 1.0, epsilon = 1e-12);
        assert_eq!(card.mean_tokens, 3.0);
        let text = card.to_string();
        assert!(
            text.contains("| prompts followed (%) | 2 | 50.0 [9.5, 90.5] |"),
            "{text}"
        );
        assert!(
            text.contains("| bits per byte of prose | 2 | 1.000 [1.000, 1.000] |"),
            "{text}"
        );
    }

    #[test]
    fn models_are_compared_in_pairs() {
        let first = abilities(&[[true, true], [false, true]], &[-0.5], -10.0);
        let second = abilities(&[[true, false], [false, true]], &[-0.5], -20.0);
        let comparison = AbilityComparison::of(&first, &second, 1);
        assert_eq!(
            (
                comparison.prompts.only_first,
                comparison.prompts.only_second
            ),
            (1, 0)
        );
        assert_eq!(comparison.prompts.difference.value, -0.5);
        assert_eq!(
            (comparison.questions.first, comparison.questions.p),
            (1.0, 1.0)
        );
        // Ten nats more over ten bytes.
        assert_abs_diff_eq!(
            comparison.bits_per_byte.value,
            1.0 / std::f64::consts::LN_2,
            epsilon = 1e-12
        );
    }
}
