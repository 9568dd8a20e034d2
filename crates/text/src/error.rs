//! What can be wrong with the input.

/// The result of a call into this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the bytes of tokens could not be determined.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes of the tokens do not add up to those of the response.
    #[error("token byte lengths must add up to the response's {response} bytes, got {tokens}")]
    ByteLengths {
        /// The bytes of the response.
        response: usize,
        /// The bytes of the tokens; the largest number where they overflow.
        tokens: usize,
    },
    /// A token id outside the vocabulary.
    #[error("token {position} must be an id below {vocabulary}, got {id}")]
    UnknownToken {
        /// The id.
        id: u32,
        /// The place of the token in the response.
        position: usize,
        /// The number of ids.
        vocabulary: usize,
    },
    /// An id far above the number of tokens: a table of all ids would be almost empty.
    #[error("the ids of {tokens} tokens must be below {allowed}, got {id}")]
    SparseVocabulary {
        /// The number of tokens.
        tokens: usize,
        /// The smallest id that is refused.
        allowed: usize,
        /// The largest id.
        id: u32,
    },
    /// A text that is no tokenizer.json.
    #[error("this is no tokenizer.json: {cause}")]
    NotTokenizer {
        /// What is wrong with it.
        cause: String,
    },
    /// A tokenizer that spells its tokens in an unknown way.
    #[error(
        "the tokenizer's decoder must be byte-level, SentencePiece-style or WordPiece-style, got {decoder}"
    )]
    UnknownDecoder {
        /// The decoders it is made of, those with their settings that are not known here.
        decoder: String,
    },
    /// A token of a byte-level vocabulary that is spelled in another alphabet.
    #[error("token {token:?} is not written in bytes, as those of a byte-level vocabulary are")]
    NotBytes {
        /// The token.
        token: String,
    },
}
