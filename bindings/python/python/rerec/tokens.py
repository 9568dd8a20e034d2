"""Byte lengths of tokens, from whatever tokenizer a trainer has."""

from typing import Any

from rerec._rerec import TokenBytes
from rerec.errors import TextError

__all__ = ["token_bytes"]


def token_bytes(tokenizer: Any, vocab_size: int | None = None) -> TokenBytes:
    """The bytes of every token of a tokenizer.

    Args:
        tokenizer: A fast tokenizer of transformers, a `tokenizers.Tokenizer`, or the processor of a model that holds one.
        vocab_size: The ids that the model has (`model.config.vocab_size`), where they are more than its tokenizer's tokens, as those
            of Qwen2.5 are: those beyond them hold no bytes.

    Raises:
        TextError: A tokenizer that is not made by `tokenizers`, or one that spells its tokens in an unknown way.
    """
    inner = getattr(tokenizer, "tokenizer", tokenizer)
    backend = getattr(inner, "backend_tokenizer", inner)
    if not hasattr(backend, "to_str"):
        raise TextError(f"tokenizer must be a tokenizer of the package tokenizers, got {type(tokenizer).__name__}")
    return TokenBytes(backend.to_str(), vocab_size)
