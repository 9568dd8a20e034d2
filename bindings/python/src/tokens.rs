//! The bytes of tokens.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use rayon::prelude::*;
use rerec::text::{self, LossyText};

use crate::arguments;
use crate::arrays::whole_numbers;
use crate::error::{Failure, Result};
use crate::pool;
use crate::questions::of_response;

/// The bytes that each token of a tokenizer adds to a text. Sampled ids are the truth: no text is tokenised again, and no token is
/// decoded by itself, which would lose half characters.
///
/// Args:
///     tokenizer: The JSON of a `tokenizers` tokenizer: of byte-level BPE (GPT-2, Llama 3, Qwen), in the style of SentencePiece (Llama
///         2, Mistral, Gemma) or of WordPiece (BERT). `rerec.token_bytes` takes the tokenizer itself.
///     vocab_size: The ids that the model has, where they are more than its tokenizer's tokens: those beyond them hold no bytes.
///
/// Raises:
///     TextError: The JSON is no tokenizer's, or its decoder is of none of these kinds.
///
/// Example:
///     >>> tokens = TokenBytes('{"decoder": {"type": "ByteLevel"}, "model": {"vocab": {"Up": 0, "\u0120we": 1}}}')
///     >>> texts, byte_lens = tokens.decode([[0, 1]])
///     >>> texts, byte_lens[0].tolist()
///     (['Up we'], [2, 3])
#[pyclass(frozen, module = "rerec")]
#[derive(Debug)]
pub(crate) struct TokenBytes {
    inner: text::TokenBytes,
    json: PyBackedStr,
    vocab_size: Option<u32>,
}

/// Texts, and the byte lengths of each text's tokens.
type Decoded<'py> = (Vec<String>, Vec<Bound<'py, PyArray1<u32>>>);

#[pymethods]
impl TokenBytes {
    #[new]
    #[pyo3(signature = (tokenizer: "str", vocab_size: "int | None" = None))]
    fn new(tokenizer: &Bound<'_, PyAny>, vocab_size: Option<u32>) -> PyResult<Self> {
        let json = arguments::text(tokenizer, "tokenizer")?;
        let inner = text::TokenBytes::from_json(&json).map_err(Failure::from)?;
        Ok(Self {
            inner: inner.padded(vocab_size.unwrap_or(0) as usize),
            json,
            vocab_size,
        })
    }

    /// The texts of sampled tokens, and the UTF-8 bytes of them that each token holds: they add up to the text's. Bytes that are
    /// no UTF-8 are read as U+FFFD.
    ///
    /// Args:
    ///     ids: The sampled ids of each response; special tokens hold no bytes.
    ///
    /// Returns:
    ///     The texts, and one uint32 array of shape [tokens] per text.
    ///
    /// Raises:
    ///     TextError: An id that is no token's and not below `vocab_size`.
    ///     ValueError: A negative id.
    #[pyo3(signature = (ids: "collections.abc.Iterable[collections.abc.Iterable[int] | numpy.typing.NDArray[numpy.integer[typing.Any]]]") -> "tuple[list[str], list[numpy.typing.NDArray[numpy.uint32]]]")]
    fn decode<'py>(&self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Decoded<'py>> {
        let ids = whole_numbers(ids, "ids")?;
        let decode = |(place, ids): (usize, &Vec<u32>)| {
            self.inner
                .decode(ids)
                .map_err(|error| of_response(place, error))
        };
        let decoded = pool::run(py, || -> Result<Vec<LossyText>> {
            ids.par_iter().enumerate().map(decode).collect()
        })??;
        Ok(decoded
            .into_iter()
            .map(|one| (one.text, one.token_byte_lens.into_pyarray(py)))
            .unzip())
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __getnewargs__(&self) -> (&str, Option<u32>) {
        (&self.json, self.vocab_size)
    }
}
