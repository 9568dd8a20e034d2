//! Sequences laid one behind the other, with a prompt that several responses share read once.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::{
    Sequence, TrainingSequence,
    error::{Error, Result},
};

/// A prompt with its response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) prompt: &'a [u32],
    pub(super) response: &'a [u32],
    pub(super) temperature: f64,
}

impl<'a> From<&Sequence<'a>> for Row<'a> {
    fn from(sequence: &Sequence<'a>) -> Self {
        Self {
            prompt: sequence.prompt_ids,
            response: sequence.token_ids,
            temperature: sequence.temperature,
        }
    }
}

impl<'a> From<&TrainingSequence<'a>> for Row<'a> {
    fn from(sequence: &TrainingSequence<'a>) -> Self {
        Self {
            prompt: sequence.prompt_ids,
            response: sequence.token_ids,
            temperature: sequence.temperature,
        }
    }
}

impl Row<'_> {
    /// Response tokens the model reads: the last one is only predicted.
    fn read(&self) -> usize {
        self.response.len() - 1
    }

    /// Ids the model reads.
    pub(super) fn input_len(&self) -> usize {
        self.prompt.len() + self.read()
    }
}

/// Refuses an id outside a vocabulary of `vocab`, in the sequence at `index` of its batch.
pub(super) fn check_ids<'i>(
    index: usize,
    ids: impl IntoIterator<Item = &'i u32>,
    vocab: usize,
) -> Result<()> {
    let mut ids = ids.into_iter();
    ids.find(|&&id| id as usize >= vocab).map_or(Ok(()), |id| {
        let what = format!("token id {id} must be below vocab_size {vocab}");
        Err(Error::InvalidSequence { index, what })
    })
}

/// Tokens of several sequences in one row, without padding; what may look at what.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Kind and device of the computation.
    place: (Kind, Device),
    /// Position of every token within its own sequence.
    positions: Vec<i64>,
    pub(crate) blocks: Vec<Block>,
}

/// A prompt and what follows it.
#[derive(Debug)]
pub(crate) struct Block {
    /// Length of one causal sequence: the prompt, and its response where there is only one.
    pub(crate) trunk: i64,
    /// The responses of a shared prompt, each `[tokens, trunk + tokens]`: an additive mask, 0, or minus infinity for
    /// what lies ahead. A response looks at the trunk and at itself.
    pub(crate) branches: Vec<Tensor>,
}

impl Layout {
    fn new(place: (Kind, Device)) -> Self {
        Self {
            place,
            positions: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// Whole sequences of the given lengths.
    pub(crate) fn of_sequences(lens: &[usize], place: (Kind, Device)) -> Result<Self> {
        let mut layout = Self::new(place);
        lens.iter().try_for_each(|&len| layout.add(len, &[]))?;
        Ok(layout)
    }

    /// Appends a prompt of `prompt` tokens with responses of the given lengths behind it.
    fn add(&mut self, prompt: usize, responses: &[usize]) -> Result<()> {
        let (alone, branches) = match responses {
            [only] => (*only, [].as_slice()),
            several => (0, several),
        };
        self.append(0, prompt + alone);
        let branches = branches.iter().filter(|&&len| len > 0).map(|&len| {
            self.append(prompt, len);
            branch_mask(len as i64, prompt as i64, self.place)
        });
        let branches = branches.collect::<Result<_>>()?;
        let trunk = (prompt + alone) as i64;
        self.blocks.push(Block { trunk, branches });
        Ok(())
    }

    /// Appends tokens at positions `first..first + len` of their sequence.
    fn append(&mut self, first: usize, len: usize) {
        self.positions
            .extend((first..first + len).map(|p| p as i64));
    }

    /// Position of every token within its own sequence, `[tokens]`.
    pub(crate) fn positions(&self) -> Result<Tensor> {
        Ok(Tensor::f_from_slice(&self.positions)?.f_to_device(self.place.1)?)
    }

    /// Lengths of trunks and branches in order; they add up to the tokens.
    pub(crate) fn sizes(&self) -> Result<Vec<i64>> {
        let mut sizes = Vec::new();
        for block in &self.blocks {
            sizes.push(block.trunk);
            for mask in &block.branches {
                sizes.push(mask.size2()?.0);
            }
        }
        Ok(sizes)
    }
}

fn branch_mask(tokens: i64, trunk: i64, place: (Kind, Device)) -> Result<Tensor> {
    let all = [tokens, trunk + tokens];
    Ok(Tensor::f_full(all, f64::NEG_INFINITY, place)?.f_triu(trunk + 1)?)
}

/// Rows of one micro-batch, laid out for the decoder.
#[derive(Debug)]
pub(super) struct PackedBatch {
    /// `[tokens]`.
    pub(super) ids: Tensor,
    pub(super) layout: Layout,
    /// Positions in `ids` whose hidden state predicts a response token, `[response tokens]`.
    pub(super) predictors: Tensor,
    /// The predicted ids, `[response tokens]`.
    pub(super) targets: Tensor,
    /// Temperature of each predicted id, `[response tokens]`.
    pub(super) temperatures: Tensor,
}

impl PackedBatch {
    /// Packs rows with at least one prompt and one response token each. Neighbours with the same prompt share
    /// it.
    pub(super) fn new(rows: &[Row<'_>], place: (Kind, Device)) -> Result<Self> {
        let mut layout = Layout::new(place);
        let (mut ids, mut predictors) = (Vec::new(), Vec::new());
        let (mut targets, mut temperatures) = (Vec::new(), Vec::new());
        for group in sharing(rows) {
            let prompt = group[0].prompt;
            let lens: Vec<usize> = group.iter().map(Row::read).collect();
            layout.add(prompt.len(), &lens)?;
            ids.extend(prompt.iter().map(|&id| i64::from(id)));
            let last_of_prompt = ids.len() as i64 - 1;
            for row in group {
                let first = ids.len() as i64;
                predictors.push(last_of_prompt);
                predictors.extend(first..first + row.read() as i64);
                ids.extend(row.response[..row.read()].iter().map(|&id| i64::from(id)));
                targets.extend(row.response.iter().map(|&id| i64::from(id)));
                temperatures.extend(row.response.iter().map(|_| row.temperature as f32));
            }
        }
        let numbers = |ids: &[i64]| Tensor::f_from_slice(ids)?.f_to_device(place.1);
        Ok(Self {
            ids: numbers(&ids)?,
            layout,
            predictors: numbers(&predictors)?,
            targets: numbers(&targets)?,
            temperatures: Tensor::f_from_slice(&temperatures)?.f_to_device(place.1)?,
        })
    }

    /// The hidden states that predict a response token, `[response tokens, hidden]`.
    pub(super) fn predicting(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(hidden.f_index_select(0, &self.predictors)?)
    }
}

/// Runs of neighbours with the same prompt.
fn sharing<'r, 'a>(rows: &'r [Row<'a>]) -> impl Iterator<Item = &'r [Row<'a>]> {
    rows.chunk_by(|a, b| a.prompt == b.prompt)
}

/// Cuts rows into micro-batches that read at most `budget` tokens, a shared prompt counted once; a row longer than the
/// budget gets a micro-batch of its own. Returns ranges of `rows`.
pub(super) fn micro_batches(rows: &[Row<'_>], budget: usize) -> Vec<Range<usize>> {
    let more = |i: usize| match i > 0 && rows[i - 1].prompt == rows[i].prompt {
        true => rows[i].read(),
        false => rows[i].input_len(),
    };
    runs(rows.len(), budget, |i| rows[i].input_len(), more)
}

/// Cuts `0..count` into runs of at most `budget` tokens; `alone` gives the tokens of what begins a run, `more` those that it adds
/// to the run of the one before. What is longer than the budget is a run of its own.
pub(super) fn runs(
    count: usize,
    budget: usize,
    alone: impl Fn(usize) -> usize,
    more: impl Fn(usize) -> usize,
) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for i in 0..count {
        match runs.last_mut() {
            Some(run) if tokens + more(i) <= budget => {
                run.end = i + 1;
                tokens += more(i);
            }
            _ => {
                runs.push(i..i + 1);
                tokens = alone(i);
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torch::decoder::F32;

    fn row<'a>(prompt: &'a [u32], response: &'a [u32]) -> Row<'a> {
        Row {
            prompt,
            response,
            temperature: 1.0,
        }
    }

    fn numbers(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor).unwrap()
    }

    #[test]
    fn a_shared_prompt_is_read_once_and_predicts_each_first_token() {
        let rows = [
            row(&[7, 8], &[9, 10, 11]),
            row(&[7, 8], &[12]),
            row(&[7, 8], &[13, 14]),
            row(&[4], &[5, 6]),
        ];
        let batch = PackedBatch::new(&rows, F32).unwrap();
        assert_eq!(numbers(&batch.ids), [7, 8, 9, 10, 13, 4, 5]);
        assert_eq!(batch.layout.positions, [0, 1, 2, 3, 2, 0, 1]);
        assert_eq!(batch.layout.sizes().unwrap(), [2, 2, 1, 2]);
        assert_eq!(numbers(&batch.targets), [9, 10, 11, 12, 13, 14, 5, 6]);
        assert_eq!(numbers(&batch.predictors), [1, 2, 3, 1, 1, 4, 5, 6]);
        let branches: Vec<usize> = batch
            .layout
            .blocks
            .iter()
            .map(|b| b.branches.len())
            .collect();
        assert_eq!(
            branches,
            [2, 0],
            "a response of one token reads nothing; a lone one is no branch"
        );
    }

    #[test]
    fn a_branch_sees_the_trunk_and_its_own_past() {
        let mask = branch_mask(2, 3, F32).unwrap().isneginf();
        assert_eq!(
            numbers(&mask.to_kind(Kind::Int64).view([-1])),
            [
                0, 0, 0, 0, 1, //
                0, 0, 0, 0, 0,
            ]
        );
    }

    #[test]
    fn micro_batches_count_a_shared_prompt_once() {
        let (p, q) = ([1; 5], [2; 3]);
        // Reads 5+2, 2, 2 | 5+2, 1 | 3+8.
        let rows = [
            row(&p, &[0; 3]),
            row(&p, &[0; 3]),
            row(&p, &[0; 3]),
            row(&p, &[0; 3]),
            row(&q, &[0; 9]),
        ];
        assert_eq!(micro_batches(&rows, 11), [0..3, 3..4, 4..5]);
        assert_eq!(micro_batches(&rows, 1), [0..1, 1..2, 2..3, 3..4, 4..5]);
        assert_eq!(micro_batches(&rows, 1000).first(), Some(&(0..5)));
    }

    #[test]
    fn runs_stay_within_the_budget() {
        let cut = |lens: &[usize], budget| runs(lens.len(), budget, |i| lens[i], |i| lens[i]);
        assert_eq!(cut(&[3, 4, 4, 9, 1], 8), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!(cut(&[3, 4], 100), vec![0..2]);
        assert!(cut(&[], 8).is_empty());
    }
}
