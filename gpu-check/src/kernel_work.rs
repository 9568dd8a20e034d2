//! What each of the policy's CUDA kernels does in a 3B model in bf16, and the bytes that it has to move.

use rerec_policy::{
    Result,
    ops::{self, Cached},
};
use tch::{Device, Kind, Tensor};

/// Qwen2.5-3B: vocabulary, hidden size, width of the feed-forward layer, heads, key heads, width of a head.
const VOCAB: i64 = 151_936;
const HIDDEN: i64 = 2048;
const WIDE: i64 = 11_008;
const HEADS: i64 = 16;
const KV_HEADS: i64 = 2;
const HEAD: i64 = 128;
/// Of bf16.
const ELEMENT: i64 = 2;

/// A kernel with its tensors.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// That have to be read or written each time.
    pub(crate) bytes: i64,
    pub(crate) run: Box<dyn FnMut() -> Result<()>>,
}

/// How much there is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) device: Device,
    /// Of the kernels within a layer.
    pub(crate) tokens: i64,
    /// Of the kernels over the vocabulary, and of attention.
    pub(crate) rows: i64,
}

impl Amount {
    /// Every kernel, its tensors made when it is asked for.
    pub(crate) fn works(self) -> impl Iterator<Item = Result<Work>> {
        let make: [fn(Self) -> Result<Work>; 7] = [
            Self::rms_norm,
            Self::rotate,
            Self::swiglu,
            Self::select,
            Self::draw,
            Self::logits_gradient,
            Self::decode_attention,
        ];
        make.into_iter().map(move |make| make(self))
    }

    fn random(self, size: &[i64]) -> Tensor {
        Tensor::randn(size, (Kind::BFloat16, self.device))
    }

    fn indices(self, below: i64, count: i64) -> Tensor {
        Tensor::randint(below, [count], (Kind::Int64, self.device))
    }

    /// In [0.5, 1.5).
    fn numbers(self, count: i64) -> Tensor {
        self.uniform(count) + 0.5
    }

    fn uniform(self, count: i64) -> Tensor {
        Tensor::rand([count], (Kind::Float, self.device))
    }

    fn rms_norm(self) -> Result<Work> {
        let (x, weight) = (self.random(&[self.tokens, HIDDEN]), self.random(&[HIDDEN]));
        Ok(Work {
            name: "rms_norm",
            bytes: 2 * ELEMENT * self.tokens * HIDDEN,
            run: Box::new(move || ops::rms_norm(&x, &weight, 1e-6).map(drop)),
        })
    }

    fn rotate(self) -> Result<Work> {
        let heads = HEADS + KV_HEADS;
        let x = self.random(&[self.tokens, heads, HEAD]);
        let table = || self.random(&[self.tokens, 1, HEAD]);
        let (cos, sin) = (table(), table());
        Ok(Work {
            name: "rotate",
            bytes: 2 * ELEMENT * self.tokens * (heads + 1) * HEAD,
            run: Box::new(move || ops::rotate(&x, &cos, &sin).map(drop)),
        })
    }

    fn swiglu(self) -> Result<Work> {
        let gate_up = self.random(&[self.tokens, 2 * WIDE]);
        Ok(Work {
            name: "swiglu",
            bytes: 3 * ELEMENT * self.tokens * WIDE,
            run: Box::new(move || ops::swiglu(&gate_up).map(drop)),
        })
    }

    fn logits(self) -> Tensor {
        self.random(&[self.rows, VOCAB])
    }

    fn logits_bytes(self) -> i64 {
        ELEMENT * self.rows * VOCAB
    }

    fn select(self) -> Result<Work> {
        let logits = self.logits();
        let (targets, temperatures) = (self.indices(VOCAB, self.rows), self.numbers(self.rows));
        Ok(Work {
            name: "select",
            bytes: self.logits_bytes(),
            run: Box::new(move || ops::select(&logits, &targets, &temperatures).map(drop)),
        })
    }

    fn draw(self) -> Result<Work> {
        let (logits, uniform) = (self.logits(), self.uniform(self.rows));
        Ok(Work {
            name: "draw",
            bytes: self.logits_bytes(),
            run: Box::new(move || ops::draw(&logits, &uniform, 1.0).map(drop)),
        })
    }

    fn logits_gradient(self) -> Result<Work> {
        let mut logits = self.logits();
        let (targets, temperatures) = (self.indices(VOCAB, self.rows), self.numbers(self.rows));
        let slopes = self.uniform(self.rows);
        let normalisers = ops::select(&logits, &targets, &temperatures)?.normalisers;
        let run = move || {
            let taken = logits.shallow_clone();
            logits = ops::logits_gradient(taken, &normalisers, &targets, &slopes, &temperatures)?;
            Ok(())
        };
        Ok(Work {
            name: "logits_gradient",
            bytes: 2 * self.logits_bytes(),
            run: Box::new(run),
        })
    }

    /// Groups of 8 behind prompts of 768 tokens, half way through responses of 768. The bytes are those that have to be
    /// moved; the prompt's part is bound by arithmetic.
    fn decode_attention(self) -> Result<Work> {
        let (slots, own) = (768, 384);
        let prompts = self.rows / 8;
        let cache = |lists: i64| self.random(&[lists, KV_HEADS, slots, HEAD]);
        let (keys, values) = (cache(prompts), cache(prompts));
        let (own_keys, own_values) = (cache(self.rows), cache(self.rows));
        let q = self.random(&[self.rows, KV_HEADS, HEADS / KV_HEADS, HEAD]);
        let filled = |lists: i64, len: i64| Tensor::full([lists], len, (Kind::Int64, self.device));
        let (prompt_lens, own_lens) = (filled(prompts, slots), filled(self.rows, own));
        let places = Tensor::arange(self.rows, (Kind::Int64, self.device));
        let prompt_of = places.divide_scalar_mode(8, "floor");
        let run = move || {
            let prompts = Cached {
                keys: &keys,
                values: &values,
                lens: &prompt_lens,
            };
            let own = Cached {
                keys: &own_keys,
                values: &own_values,
                lens: &own_lens,
            };
            ops::decode_attention(&q, prompts, &prompt_of, own).map(drop)
        };
        Ok(Work {
            name: "decode_attention",
            bytes: 2 * ELEMENT * KV_HEADS * HEAD * (prompts * slots + self.rows * own),
            run: Box::new(run),
        })
    }
}
