"""Answers of the toy, token by token."""

from typing import Any


def ids(words: Any, *tokens: str) -> list[int]:
    return [words.convert_tokens_to_ids(token) for token in tokens]


RIGHT, WRONG = ("Heat?Ċ", "\\boxed{Heat}", "<eos>"), ("Alien?Ċ", "\\boxed{Alien}", "<eos>")
