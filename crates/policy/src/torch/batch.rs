//! Sequences of unequal length as one padded batch.

use tch::Tensor;

use crate::Result;

/// A prompt with its response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) prompt: &'a [u32],
    pub(super) response: &'a [u32],
    pub(super) temperature: f64,
}

impl Row<'_> {
    /// Ids the model reads: the last response token is only predicted.
    pub(super) fn input_len(&self) -> usize {
        self.prompt.len() + self.response.len() - 1
    }
}

/// Right-padded rows; padding comes after every token that looks back, so it needs no mask.
#[derive(Debug)]
pub(super) struct PaddedBatch {
    /// `[rows, tokens]`.
    pub(super) ids: Tensor,
    /// Flat positions in `ids` whose hidden state predicts a response token, `[response tokens]`.
    pub(super) predictors: Tensor,
    /// The predicted ids, `[response tokens]`.
    pub(super) targets: Tensor,
    /// Temperature of each predicted id, `[response tokens, 1]`.
    pub(super) temperatures: Tensor,
}

impl PaddedBatch {
    /// Packs rows with at least one prompt and one response token each.
    pub(super) fn new(rows: &[Row<'_>], pad: u32) -> Result<Self> {
        let width = rows.iter().map(Row::input_len).max().unwrap_or(0);
        let mut ids = vec![i64::from(pad); rows.len() * width];
        let (mut predictors, mut targets, mut temperatures) = (Vec::new(), Vec::new(), Vec::new());
        for (i, row) in rows.iter().enumerate() {
            let tokens = row.prompt.iter().chain(row.response).take(row.input_len());
            for (slot, &id) in ids[i * width..].iter_mut().zip(tokens) {
                *slot = i64::from(id);
            }
            let first = i * width + row.prompt.len() - 1;
            predictors.extend((first..first + row.response.len()).map(|p| p as i64));
            targets.extend(row.response.iter().map(|&id| i64::from(id)));
            temperatures.extend(row.response.iter().map(|_| row.temperature as f32));
        }
        Ok(Self {
            ids: Tensor::f_from_slice(&ids)?.f_view([rows.len() as i64, width as i64])?,
            predictors: Tensor::f_from_slice(&predictors)?,
            targets: Tensor::f_from_slice(&targets)?,
            temperatures: Tensor::f_from_slice(&temperatures)?.f_unsqueeze(1)?,
        })
    }

    /// The hidden states that predict a response token, `[response tokens, hidden]`.
    pub(super) fn predicting(&self, hidden: &Tensor) -> Result<Tensor> {
        let width = hidden.size().last().copied().unwrap_or(0);
        Ok(hidden
            .f_reshape([-1, width])?
            .f_index_select(0, &self.predictors)?)
    }
}

/// Splits rows into micro-batches of at most `budget` padded tokens, longest first; a row longer than
/// the budget gets a micro-batch of its own. Returns positions in `lengths`.
pub(super) fn micro_batches(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match batches.last_mut() {
            // The first row of a batch is its longest.
            Some(batch) if (batch.len() + 1) * lengths[batch[0]] <= budget => batch.push(i),
            _ => batches.push(vec![i]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_batches_hold_every_row_once_within_the_budget() {
        let lengths = [5, 9, 2, 9, 1, 30];
        let batches = micro_batches(&lengths, 18);
        assert_eq!(batches, [vec![5], vec![1, 3], vec![0, 2, 4]]);
    }

    #[test]
    fn predictors_point_at_the_token_before_each_target() {
        let row = Row {
            prompt: &[7, 8],
            response: &[9, 10],
            temperature: 1.0,
        };
        let short = Row {
            prompt: &[4],
            response: &[5],
            temperature: 1.0,
        };
        let batch = PaddedBatch::new(&[row, short], 0).unwrap();
        assert_eq!(
            Vec::<Vec<i64>>::try_from(&batch.ids).unwrap(),
            [[7, 8, 9], [4, 0, 0]]
        );
        assert_eq!(Vec::<i64>::try_from(&batch.predictors).unwrap(), [1, 2, 3]);
        assert_eq!(Vec::<i64>::try_from(&batch.targets).unwrap(), [9, 10, 5]);
    }
}
