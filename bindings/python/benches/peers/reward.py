"""The reward of responses, beside the authors' in Python."""

import re
from typing import Any

import numpy as np
from measure import Measure

import rerec

RESPONSES, GROUP = 2560, 5


def films() -> list[dict[str, Any]]:
    """3,000 films with a director of 300 and two genres of 18."""
    draw = np.random.default_rng(0)
    genre = [f"Genre {number}" for number in range(18)]
    return [
        {
            "id": str(number),
            "title": f"The Film of Number {number} ({1930 + number % 90})",
            "attributes": [
                {"relation": "director", "value": f"Director {draw.integers(300)}"},
                *({"relation": "genre", "value": value} for value in draw.choice(genre, 2, replace=False)),
            ],
        }
        for number in range(3000)
    ]


def responses(items: list[dict[str, Any]]) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """2,560 responses of 2 kB, five to each query, with targets and 20 candidates."""
    draw = np.random.default_rng(1)
    texts, targets, candidates = [], [], []
    for _ in range(RESPONSES // GROUP):
        chosen = [items[place]["title"] for place in draw.choice(len(items), 20, replace=False)]
        for _ in range(GROUP):
            said = [f"{chosen[draw.integers(20)]} has a story that may fit what was asked for here." for _ in range(40)]
            texts.append("\n\n".join(said)[:1950] + f"\n\\boxed{{{chosen[draw.integers(20)]}}}")
            targets.append(chosen[:1])
            candidates.append(chosen)
    return texts, targets, candidates


class AuthorsReward:
    """The released code's reward as its paper and code describe it: the first box, equal titles, sets of attributes."""

    def __init__(self, items: list[dict[str, Any]]) -> None:
        self.attributes = {
            item["title"]: {(one["relation"], one["value"]) for one in item["attributes"]} for item in items
        }

    def __call__(self, response: str, truth: list[str]) -> float:
        box = re.search(r"\\boxed\{(.*?)\}", response)
        if box is None:
            return -0.1 * 0.5 - 0.5
        answer = [title.strip() for title in box.group(1).split(";") if title.strip()]
        gains = [1.0 / np.log2(rank + 2) for rank, title in enumerate(answer[:1]) if title in truth]
        shared = set.intersection(*(self.attributes[title] for title in truth))
        known = self.attributes.get(answer[0], set()) if answer else set()
        return 0.1 * 0.5 + sum(gains) + 0.01 * len(shared & known) / len(shared)


def run(measure: Measure) -> None:
    items = films()
    texts, targets, candidates = responses(items)
    catalogue = rerec.Catalogue(items)
    ours, theirs = rerec.DualGraphReward(catalogue, rerec.AttributeGraph(catalogue)), AuthorsReward(items)

    def authors() -> list[float]:
        return [theirs(text, truth) for text, truth in zip(texts, targets, strict=True)]

    np.testing.assert_allclose(ours.score(texts, targets).totals, authors(), atol=1e-12)
    size = sum(map(len, texts)) / len(texts)
    what = f"the reward of {RESPONSES:,} responses of {size:.0f} bytes"
    measure(what, "the authors', in Python", lambda: ours.score(texts, targets), authors)
    with_candidates = f"{what}, with 20 candidates each"
    beside = "the authors', which does not look at candidates"
    measure(with_candidates, beside, lambda: ours.score(texts, targets, candidates), authors)
