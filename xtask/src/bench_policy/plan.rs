//! What is measured.

/// Groups of measurements, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sampling.
    Generate,
    /// One GRPO step on all weights.
    Step,
    /// The same on adapters.
    Lora,
    /// Training by response length, group size and vocabulary.
    Cost,
}

pub(super) const PRECISIONS: [&str; 2] = ["f32", "bf16"];

/// Samples of a group.
const GROUP: usize = 8;

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Generate, Self::Step, Self::Lora, Self::Cost];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Step => "step",
            Self::Lora => "lora",
            Self::Cost => "cost",
        }
    }

    /// Whether Python is measured too.
    pub(super) fn has_another_side(self) -> bool {
        self != Self::Cost
    }
}

/// One measurement, on both sides with the same words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    /// Command of our side, and name of the script of theirs.
    pub(super) command: &'static str,
    pub(super) words: Vec<String>,
}

/// How large the measurements are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Tiny ones, to see that all works.
    pub(super) quick: bool,
}

impl Plan {
    pub(super) fn prompt_words(self) -> [&'static str; 4] {
        [
            "--count",
            "8",
            "--tokens",
            if self.quick { "64" } else { "384" },
        ]
    }

    fn new_tokens(self) -> usize {
        if self.quick { 8 } else { 128 }
    }

    pub(super) fn cases(self, kind: Kind) -> Vec<Case> {
        let each = |precision| match kind {
            Kind::Generate => self.generations(precision),
            Kind::Step => vec![self.step(precision, None)],
            Kind::Lora => vec![self.step(precision, Some("--lora"))],
            Kind::Cost => Vec::new(),
        };
        PRECISIONS.into_iter().flat_map(each).collect()
    }

    fn generations(self, precision: &str) -> Vec<Case> {
        let batches: &[(usize, usize)] = match self.quick {
            true => &[(1, 1), (2, 2)],
            false => &[(1, 1), (2, GROUP), (8, GROUP)],
        };
        let case = |&(groups, samples): &(usize, usize)| {
            let name = format!("generation, {precision}, batch {}", groups * samples);
            self.case("generate", &name, precision, [groups, samples])
        };
        batches.iter().map(case).collect()
    }

    fn step(self, precision: &str, lora: Option<&str>) -> Case {
        let groups = if self.quick { 2 } else { 4 };
        let what = if lora.is_some() {
            "GRPO step with LoRA"
        } else {
            "GRPO step"
        };
        let name = format!("{what}, {precision}, {groups} x {GROUP}");
        let mut case = self.case("step", &name, precision, [groups, GROUP]);
        case.words.extend(lora.map(str::to_owned));
        case
    }

    fn case(
        self,
        command: &'static str,
        name: &str,
        precision: &str,
        [groups, samples]: [usize; 2],
    ) -> Case {
        let numbers = [groups, samples, self.new_tokens()].map(|number| number.to_string());
        let [groups, samples, new_tokens] = &numbers;
        let words = [
            "--case",
            name,
            "--precision",
            precision,
            "--groups",
            groups,
            "--samples",
            samples,
            "--new-tokens",
            new_tokens,
        ];
        Case {
            command,
            words: words.map(str::to_owned).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generation_is_measured_at_three_batches_in_both_precisions() {
        let cases = Plan { quick: false }.cases(Kind::Generate);
        let names: Vec<&str> = cases.iter().map(|case| case.words[1].as_str()).collect();
        let expected = [
            "generation, f32, batch 1",
            "generation, f32, batch 16",
            "generation, f32, batch 64",
            "generation, bf16, batch 1",
            "generation, bf16, batch 16",
            "generation, bf16, batch 64",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_step_takes_four_groups_of_eight_responses_of_up_to_128_tokens() {
        let cases = Plan { quick: false }.cases(Kind::Lora);
        let expected = "--case GRPO step with LoRA, bf16, 4 x 8 --precision bf16 --groups 4 --samples 8 \
                        --new-tokens 128 --lora";
        assert_eq!(cases[1].words.join(" "), expected);
        assert_eq!(cases[1].command, "step");
    }
}
