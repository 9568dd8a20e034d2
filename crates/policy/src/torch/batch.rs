//! Sequences laid one behind the other, with a prompt that several responses share read once.

use tch::Tensor;

use super::placement::Placement;
use crate::{RolloutGroup, error::Result};

/// Responses that share a prompt, which is read once for all of them.
#[derive(Debug, Clone)]
pub(super) struct SharedPrompt<'a> {
    pub(super) prompt: &'a [u32],
    pub(super) temperature: f64,
    /// At least one token each.
    pub(super) responses: Vec<&'a [u32]>,
}

impl<'a> SharedPrompt<'a> {
    /// A prompt with one response.
    pub(super) fn alone(prompt: &'a [u32], response: &'a [u32]) -> Self {
        Self {
            prompt,
            temperature: 1.0,
            responses: vec![response],
        }
    }
}

impl<'a> From<&'a RolloutGroup> for SharedPrompt<'a> {
    fn from(group: &'a RolloutGroup) -> Self {
        Self {
            prompt: &group.prompt_ids,
            temperature: group.temperature,
            responses: group.responses.iter().map(|r| &*r.token_ids).collect(),
        }
    }
}

/// Response tokens the model reads: the last one is only predicted.
pub(super) fn tokens_read(response: &[u32]) -> usize {
    response.len().saturating_sub(1)
}

/// Tokens of several sequences in one row, without padding; what may look at what.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Of the computation.
    placement: Placement,
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
    fn new(placement: Placement) -> Self {
        Self {
            placement,
            positions: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// Whole sequences of the given lengths.
    pub(crate) fn of_sequences(lens: &[usize], placement: Placement) -> Result<Self> {
        let mut layout = Self::new(placement);
        lens.iter().try_for_each(|&len| layout.add(len, &[]))?;
        Ok(layout)
    }

    /// Appends a prompt of `prompt` tokens with responses of the given lengths behind it.
    fn add(&mut self, prompt: usize, responses: &[usize]) -> Result<()> {
        // A lone response goes on with its prompt as one causal sequence, which needs no mask. Several become branches: each
        // attends to the prompt's keys and to itself, and positions go on from the prompt's end in every one of them.
        let (alone, branches) = match responses {
            [only] => (*only, [].as_slice()),
            several => (0, several),
        };
        self.append(0, prompt + alone);
        // A response of one token reads nothing: the last token of the prompt predicts it.
        let branches = branches.iter().filter(|&&len| len > 0).map(|&len| {
            self.append(prompt, len);
            branch_mask(len as i64, prompt as i64, self.placement)
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
        Ok(Tensor::f_from_slice(&self.positions)?.f_to_device(self.placement.device)?)
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

fn branch_mask(tokens: i64, trunk: i64, placement: Placement) -> Result<Tensor> {
    // Row i of the branch sees the columns up to trunk + i: the trunk, its own past and itself.
    let all = [tokens, trunk + tokens];
    Ok(Tensor::f_full(all, f64::NEG_INFINITY, placement.options())?.f_triu(trunk + 1)?)
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
    /// Packs prompts of at least one token with their responses.
    pub(super) fn new(groups: &[SharedPrompt<'_>], placement: Placement) -> Result<Self> {
        let mut layout = Layout::new(placement);
        let (mut ids, mut predictors) = (Vec::new(), Vec::new());
        let (mut targets, mut temperatures) = (Vec::new(), Vec::new());
        for group in groups {
            let lens: Vec<usize> = group.responses.iter().map(|r| tokens_read(r)).collect();
            layout.add(group.prompt.len(), &lens)?;
            ids.extend(group.prompt.iter().map(|&id| i64::from(id)));
            let last_of_prompt = ids.len() as i64 - 1;
            for (response, read) in group.responses.iter().zip(lens) {
                let first = ids.len() as i64;
                // The prompt's last token predicts the first of every response; a response's last token predicts nothing.
                predictors.push(last_of_prompt);
                predictors.extend(first..first + read as i64);
                ids.extend(response[..read].iter().map(|&id| i64::from(id)));
                targets.extend(response.iter().map(|&id| i64::from(id)));
                temperatures.extend(response.iter().map(|_| group.temperature as f32));
            }
        }
        let numbers = |ids: &[i64]| Tensor::f_from_slice(ids)?.f_to_device(placement.device);
        Ok(Self {
            ids: numbers(&ids)?,
            layout,
            predictors: numbers(&predictors)?,
            targets: numbers(&targets)?,
            temperatures: Tensor::f_from_slice(&temperatures)?.f_to_device(placement.device)?,
        })
    }

    /// The hidden states that predict a response token, `[response tokens, hidden]`.
    pub(super) fn predicting(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(hidden.f_index_select(0, &self.predictors)?)
    }
}

/// Cuts groups into micro-batches that read at most `budget` tokens, a shared prompt counted once; what is longer than the budget
/// gets a micro-batch of its own. The responses keep their order; a group that is cut reads its prompt in each part.
pub(super) fn micro_batches<'a>(
    groups: &[SharedPrompt<'a>],
    budget: usize,
) -> Vec<Vec<SharedPrompt<'a>>> {
    let (mut batches, mut batch, mut tokens) = (Vec::new(), Vec::new(), 0);
    for group in groups {
        let mut rest = group.responses.as_slice();
        while !rest.is_empty() {
            let room = budget.checked_sub(tokens + group.prompt.len());
            let fitting = room.map_or(0, |room| count_within(rest, room));
            // The batch is empty in the next round, which then takes one response at least: the loop ends.
            if fitting == 0 && !batch.is_empty() {
                batches.push(std::mem::take(&mut batch));
                tokens = 0;
                continue;
            }
            let (responses, others) = rest.split_at(fitting.max(1));
            tokens += group.prompt.len();
            tokens += responses.iter().map(|r| tokens_read(r)).sum::<usize>();
            batch.push(SharedPrompt {
                responses: responses.to_vec(),
                ..*group
            });
            rest = others;
        }
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// How many of the first responses read at most `room` tokens together.
fn count_within(responses: &[&[u32]], room: usize) -> usize {
    let mut tokens = 0;
    let fit = responses.iter().take_while(|response| {
        tokens += tokens_read(response);
        tokens <= room
    });
    fit.count()
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    const F32: Placement = Placement::CPU_F32;

    fn group<'a>(prompt: &'a [u32], responses: &[&'a [u32]]) -> SharedPrompt<'a> {
        SharedPrompt {
            responses: responses.to_vec(),
            ..SharedPrompt::alone(prompt, &[])
        }
    }

    fn numbers(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor).unwrap()
    }

    #[test]
    fn a_shared_prompt_is_read_once_and_predicts_each_first_token() {
        let groups = [
            group(&[7, 8], &[&[9, 10, 11], &[12], &[13, 14]]),
            group(&[4], &[&[5, 6]]),
        ];
        let batch = PackedBatch::new(&groups, F32).unwrap();
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
        let groups = [group(&p, &[[0; 3].as_slice(); 4]), group(&q, &[&[0; 9]])];
        let cut = |budget| -> Vec<Vec<usize>> {
            let batches = micro_batches(&groups, budget);
            let sizes = batches
                .iter()
                .map(|b| b.iter().map(|g| g.responses.len()).collect());
            sizes.collect()
        };
        assert_eq!(cut(11), [vec![3], vec![1], vec![1]]);
        assert_eq!(cut(1), vec![vec![1]; 5]);
        assert_eq!(cut(1000), [[4, 1]]);
        assert_eq!(cut(18), [vec![4], vec![1]]);
        assert!(micro_batches(&[], 8).is_empty());
    }
}
