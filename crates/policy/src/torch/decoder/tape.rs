//! The training pass, layer by layer, and the way back.

use tch::{Tensor, no_grad, with_grad};

use super::{Decoder, Dropout, Gradients, Leaf, Pass, times};
use crate::{
    Result,
    torch::{batch::Layout, shim},
};

/// A forward pass that can be gone back over once. Each layer is a graph of its own, freed as soon as the way back has
/// passed it; with checkpointing there is none before, and the layer is computed anew.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    decoder: &'a Decoder,
    pass: Pass<'a>,
    ids: &'a Tensor,
    stages: Vec<Stage>,
    /// Hidden states after the last norm, `[tokens, hidden]`.
    hidden: Tensor,
}

/// A layer, or the last norm.
#[derive(Debug)]
struct Stage {
    input: Tensor,
    /// With its graph; none where it is to be computed anew.
    output: Option<Tensor>,
}

impl<'a> Tape<'a> {
    /// Runs the decoder over `ids` `[tokens]`.
    pub(crate) fn record(
        decoder: &'a Decoder,
        ids: &'a Tensor,
        layout: &'a Layout,
        dropout: Option<Dropout>,
        checkpointing: bool,
    ) -> Result<Self> {
        let pass = decoder.pass(layout, dropout)?;
        let mut stages = Vec::with_capacity(decoder.layers.len() + 1);
        // The embedding's gradient is a sum over rows of ids, made by hand on the way back: autograd would make a whole
        // [vocab, hidden] tensor for every micro-batch.
        let mut x = no_grad(|| decoder.embed(ids))?;
        for index in 0..=decoder.layers.len() {
            // Detached, so that each stage is a graph of its own and can be freed on its own.
            let input = x.f_detach()?.f_set_requires_grad(true)?;
            let run = || decoder.stage(index, &input, &pass);
            // The last norm is cheap to keep.
            let forget = checkpointing && index < decoder.layers.len();
            let output = if forget {
                no_grad(run)?
            } else {
                with_grad(run)?
            };
            x = output.f_detach()?;
            stages.push(Stage {
                input,
                output: (!forget).then_some(output),
            });
        }
        Ok(Self {
            decoder,
            pass,
            ids,
            stages,
            hidden: x,
        })
    }

    /// Hidden states after the last norm, `[tokens, hidden]`.
    pub(crate) fn hidden(&self) -> &Tensor {
        &self.hidden
    }

    /// Adds the gradients of everything below the hidden states, given theirs.
    pub(crate) fn backward(mut self, hidden: Tensor, gradients: &mut Gradients) -> Result<()> {
        let mut gradient = hidden;
        // Each stage leaves the list before its gradients are made: its graph is freed at the end of the round.
        while let Some(Stage { input, output }) = self.stages.pop() {
            let index = self.stages.len();
            let output = match output {
                Some(output) => output,
                None => with_grad(|| self.decoder.stage(index, &input, &self.pass))?,
            };
            let leaves = self.decoder.stage_leaves(index);
            let inputs: Vec<&Tensor> = std::iter::once(&input)
                .chain(leaves.iter().map(|l| &l.tensor))
                .collect();
            // In the order of `inputs`: the first is the gradient that the stage below continues with.
            let mut found = shim::gradients(&output, &gradient, &inputs)?.into_iter();
            gradient = found
                .next()
                .flatten()
                .map_or_else(|| input.f_zeros_like(), Ok)?;
            for (leaf, found) in leaves.iter().zip(found) {
                found.map_or(Ok(()), |found| gradients.add(leaf, &found))?;
            }
        }
        self.decoder
            .embedding_backward(self.ids, &gradient, gradients)
    }
}

impl Decoder {
    /// A layer, or behind the last one the norm.
    fn stage(&self, index: usize, x: &Tensor, pass: &Pass<'_>) -> Result<Tensor> {
        if index < self.layers.len() {
            self.layer(index, x, pass)
        } else {
            self.final_norm(x)
        }
    }

    fn stage_leaves(&self, index: usize) -> &[Leaf] {
        // The stage behind the last layer is the norm.
        self.leaves.layers.get(index).unwrap_or(&self.leaves.norm)
    }

    fn embedding_backward(
        &self,
        ids: &Tensor,
        gradient: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let Some(leaf) = &self.leaves.embedding else {
            return Ok(());
        };
        if let Some(mut sum) = gradients.sum(leaf)? {
            let factor = self.config.multipliers.embedding_multiplier;
            let gradient = times(gradient.shallow_clone(), factor)?;
            // Adds up where an id occurs several times.
            let _ = sum.f_index_add_(0, ids, &gradient.f_to_kind(sum.kind())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        LoraConfig, ModelConfig, Projection,
        torch::{
            adapters::Adapters,
            batch::{PackedBatch, SharedPrompt},
            decoder::Trained,
            head::Head,
            placement::Placement,
            weights::Weights,
        },
    };

    const F32: Placement = Placement::CPU_F32;

    fn config(model_type: &str, tied: bool) -> ModelConfig {
        serde_json::from_value(serde_json::json!({
            "model_type": model_type, "vocab_size": 50, "hidden_size": 16, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
            "max_position_embeddings": 32, "initializer_range": 0.3, "tie_word_embeddings": tied
        }))
        .unwrap()
    }

    /// A prompt that responses share, one of them of one token, and prompts of their own at other temperatures.
    fn groups() -> [SharedPrompt<'static>; 3] {
        let alone = |temperature, prompt, response| SharedPrompt {
            temperature,
            ..SharedPrompt::alone(prompt, response)
        };
        [
            SharedPrompt {
                responses: vec![&[5, 6, 7], &[8], &[9, 9, 1, 2]],
                ..SharedPrompt::alone(&[1, 2, 3, 4], &[])
            },
            alone(0.5, &[11, 12], &[13, 14]),
            alone(2.0, &[20, 21, 22], &[23, 24, 25]),
        ]
    }

    fn slope(token: usize) -> f32 {
        ((token * 7) % 5) as f32 - 1.5
    }

    /// Through the tape, all rows in one batch that shares prompts.
    fn ours(decoder: &Decoder, checkpointing: bool) -> Gradients {
        let batch = PackedBatch::new(&groups(), F32).unwrap();
        let mut gradients = Gradients::default();
        let tape = Tape::record(decoder, &batch.ids, &batch.layout, None, checkpointing).unwrap();
        let head = Head {
            weight: decoder.head(),
            targets: &batch.targets,
            temperatures: &batch.temperatures,
        };
        let of_head = decoder
            .head_leaf()
            .map(|leaf| gradients.sum(leaf).unwrap().unwrap());
        let hidden = batch.predicting(tape.hidden()).unwrap();
        let hidden = head
            .backward(&hidden, of_head, |range, _| range.map(slope).collect())
            .unwrap();
        let mut all = tape.hidden().zeros_like();
        let _ = all.f_index_add_(0, &batch.predictors, &hidden).unwrap();
        tape.backward(all, &mut gradients).unwrap();
        gradients
    }

    /// By autograd through whole sequences, one by one, and the whole softmax.
    fn autograds(decoder: &Decoder) -> Tensor {
        let mut loss = Tensor::zeros([], F32.options());
        let mut token = 0;
        for (group, response) in groups()
            .iter()
            .flat_map(|g| g.responses.iter().map(move |&r| (g, r)))
        {
            let alone = SharedPrompt::alone(group.prompt, response);
            let alone = PackedBatch::new(&[alone], F32).unwrap();
            let hidden = decoder.hidden(&alone.ids, &alone.layout).unwrap();
            let logits = decoder.logits(&alone.predicting(&hidden).unwrap()).unwrap();
            let log_probs = (logits / group.temperature).log_softmax(-1, None);
            let chosen = log_probs
                .gather(1, &alone.targets.unsqueeze(1), false)
                .squeeze_dim(1);
            let slopes: Vec<f32> = (token..token + response.len()).map(slope).collect();
            token += response.len();
            loss += (chosen * Tensor::from_slice(&slopes)).sum(None);
        }
        loss
    }

    fn assert_equal(decoder: &Decoder, what: &str) {
        autograds(decoder).backward();
        let leaves = &decoder.leaves;
        let all = leaves.layers.iter().flatten().chain(&leaves.norm);
        let all: Vec<&Leaf> = all.chain(&leaves.embedding).chain(&leaves.head).collect();
        for checkpointing in [false, true] {
            let ours = ours(decoder, checkpointing);
            let mut compared = 0;
            for leaf in &all {
                let mut expected = Gradients::default();
                expected.add(leaf, &leaf.tensor.grad()).unwrap();
                for (name, expected) in expected.named() {
                    let gap = ours.get(name).unwrap() - expected;
                    let gap =
                        gap.norm().double_value(&[]) / expected.norm().double_value(&[]).max(1e-3);
                    // Single precision, summed in another order; a wrong term is off by far more.
                    assert!(
                        gap < 1e-4,
                        "{what}, checkpointing {checkpointing}: {name} differs by {gap}"
                    );
                    compared += 1;
                }
            }
            assert_eq!(compared, ours.iter().count(), "{what}");
        }
    }

    #[test]
    fn gradients_of_weights_equal_autograds() {
        for (model_type, tied) in [("llama", true), ("qwen2", false), ("qwen3", true)] {
            let config = config(model_type, tied);
            let weights = Weights::draw(&config, 3, F32).unwrap();
            let decoder = Decoder::new(&config, &weights, F32.kind, Trained::Weights).unwrap();
            assert_equal(&decoder, model_type);
        }
    }

    #[test]
    fn gradients_of_adapters_equal_autograds() {
        let config = config("qwen2", false);
        let weights = Weights::draw(&config, 3, F32).unwrap();
        let two = [Projection::KProj, Projection::UpProj];
        for targets in [&Projection::ALL[..], &two] {
            let lora = LoraConfig {
                rank: 3,
                targets: targets.to_vec(),
                ..Default::default()
            };
            let adapters = Adapters::draw(&lora, &config, F32.device).unwrap();
            for (_, tensor) in adapters.by_name() {
                // Not drawn: libtorch's generator is shared by all tests, in whatever order they run.
                let numbers = Tensor::arange(tensor.numel() as i64, F32.options()) * 0.7;
                let numbers = numbers.sin() * 0.1;
                tensor.shallow_clone().copy_(&numbers.view_as(tensor));
            }
            let decoder =
                Decoder::new(&config, &weights, F32.kind, Trained::Adapters(&adapters)).unwrap();
            assert_equal(&decoder, &format!("{targets:?}"));
        }
    }
}
