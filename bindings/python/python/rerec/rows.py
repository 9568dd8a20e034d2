"""Queries as the rows of a training set."""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["training_rows"]


def training_rows(queries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per query of a `Dataset`, with the columns that the adapters read.

    Returns:
        Dicts with `prompt` (messages), `query` (its id), `targets` and `candidates` (ids, so `by="id"`; `None` for the whole
        catalogue).

    Example:
        >>> query = {"id": "q1", "conversation": [{"role": "user", "content": "A heist film?"}], "targets": ["1"]}
        >>> training_rows([query])[0]["query"], training_rows([query])[0]["candidates"]
        ('q1', None)
    """
    return [
        {
            "prompt": query["conversation"],
            "query": query["id"],
            "targets": query["targets"],
            "candidates": query.get("candidates"),
        }
        for query in queries
    ]
