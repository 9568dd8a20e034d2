"""What several tests read."""

from importlib.util import find_spec
from typing import Any

import pytest
from recorded import DATA, lines

import rerec

# They need torch and the trainers.
collect_ignore = [] if find_spec("torch") else ["trainers"]


@pytest.fixture(scope="session")
def catalogue() -> rerec.Catalogue:
    """Two crime films, one of them a drama too, and a third film."""
    crime, drama = ({"relation": "genre", "value": genre} for genre in ("Crime", "Drama"))
    return rerec.Catalogue(
        [
            {"id": "1", "title": "Heat (1995)", "attributes": [crime, drama]},
            {"id": "2", "title": "Casino (1995)", "attributes": [crime]},
            {"id": "3", "title": "Toy Story (1995)", "aliases": ["Woody's World"]},
        ]
    )


@pytest.fixture(scope="session")
def reward(catalogue: rerec.Catalogue) -> rerec.DualGraphReward:
    return rerec.DualGraphReward(catalogue)


@pytest.fixture(scope="session")
def run() -> dict[str, Any]:
    """The responses of a run of `rerec train` with what they were asked for, one entry per response."""
    queries = {query["query"]: query for query in lines("queries.jsonl")}
    records = [(group["query"], response) for group in lines("rollouts.jsonl") for response in group["responses"]]
    return {
        "records": [response for _, response in records],
        "texts": [response["text"] for _, response in records],
        "byte_lens": [response["token_byte_lens"] for _, response in records],
        "queries": [query for query, _ in records],
        "targets": [queries[query]["targets"] for query, _ in records],
        "candidates": [queries[query]["candidates"] for query, _ in records],
    }


@pytest.fixture(scope="session")
def run_reward() -> rerec.DualGraphReward:
    """The reward of that run."""
    catalogue = rerec.Catalogue.read(DATA / "catalogue.jsonl")
    vectors = DATA / "item_embeddings.safetensors"
    embeddings = rerec.ItemEmbeddings.read(vectors, catalogue, {"similarity": "centred_cosine"})
    return rerec.DualGraphReward(catalogue, rerec.AttributeGraph(catalogue), embeddings)
