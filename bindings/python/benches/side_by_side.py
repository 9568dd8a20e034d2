"""The package beside the same work in Python: the authors' reward, verl's loop, ranx.

    python benches/side_by_side.py [--rounds N] [--cpu] [reward] [advantages] [ranking]

Both sides take turns in one process; minimum and median of each, and the ratio of the medians, are printed as a table. How often the
threads of the package run beside each other is set by RAYON_NUM_THREADS. On a machine with other work `--cpu` counts what the processor
spent on this process, all threads together, instead of the time that passed.
"""

import argparse
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import rerec

RESPONSES, GROUP, TOKENS = 2560, 5, 768


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


def reward(measure: "Measure") -> None:
    items = films()
    texts, targets, candidates = responses(items)
    catalogue = rerec.Catalogue(items)
    ours, theirs = rerec.DualGraphReward(catalogue, rerec.AttributeGraph(catalogue)), AuthorsReward(items)
    expected = [theirs(text, truth) for text, truth in zip(texts, targets, strict=True)]
    np.testing.assert_allclose(ours.score(texts, targets).totals, expected, atol=1e-12)
    size = sum(map(len, texts)) / len(texts)
    measure(
        f"reward of {RESPONSES} responses of {size:.0f} bytes, beside the authors' in Python",
        lambda: ours.score(texts, targets),
        lambda: [theirs(text, truth) for text, truth in zip(texts, targets, strict=True)],
    )
    measure(
        "the same with 20 candidates each, which the other side does not look at",
        lambda: ours.score(texts, targets, candidates),
        lambda: [theirs(text, truth) for text, truth in zip(texts, targets, strict=True)],
    )


def advantages(measure: "Measure") -> None:
    import torch
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    torch.set_num_threads(1)
    draw = np.random.default_rng(2)
    mask = np.arange(TOKENS)[None] < draw.integers(100, TOKENS, RESPONSES)[:, None]
    outcome = draw.choice([0.05, 1.05], RESPONSES).astype(np.float32)
    sparse = np.zeros((RESPONSES, TOKENS), np.float32)
    sparse[np.arange(RESPONSES), mask.sum(1) - 1] = outcome
    index = np.repeat([f"query {number}" for number in range(RESPONSES // GROUP)], GROUP).astype(object)
    rows, valid = torch.from_numpy(sparse), torch.from_numpy(mask)
    for name in ("grpo", "grpo_vectorized"):
        loop = get_adv_estimator_fn(name)

        def theirs(loop: Callable[..., Any] = loop) -> Any:
            return loop(token_level_rewards=rows, response_mask=valid, index=index)

        def ours() -> Any:
            return rerec.advantages("grpo", groups=index, rewards=outcome, mask=mask)

        np.testing.assert_allclose(ours(), theirs()[0].numpy(), atol=1e-4)
        measure(f"grpo of {RESPONSES} x {TOKENS} tokens, beside verl's {name}", ours, theirs)
    dense = np.where(mask, outcome[:, None] * draw.choice([1.0, 0.7], (RESPONSES, TOKENS)), 0).astype(np.float32)
    groups = torch.from_numpy(np.repeat(np.arange(RESPONSES // GROUP), GROUP))
    values = torch.from_numpy(dense)
    measure(
        f"raae of {RESPONSES} x {TOKENS} tokens, beside torch's index_add",
        lambda: rerec.advantages("raae", groups=index, token_rewards=dense, mask=mask),
        lambda: raae_in_torch(values, valid, groups),
    )


def raae_in_torch(rewards: Any, mask: Any, groups: Any) -> Any:
    """The formula with torch's operations, one group after another in one call."""
    import torch

    number = int(groups.max()) + 1
    weights = mask.float()
    counts = torch.zeros(number).index_add_(0, groups, weights.sum(1))
    means = torch.zeros(number).index_add_(0, groups, (rewards * weights).sum(1)) / counts
    centred = (rewards - means[groups, None]) * weights
    squares = torch.zeros(number).index_add_(0, groups, (centred**2).sum(1))
    return centred / ((squares / (counts - 1)).sqrt() + 1e-6)[groups, None]


def ranking(measure: "Measure") -> None:
    import ranx

    draw = np.random.default_rng(3)
    run: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for query in range(1000):
        items = draw.choice(100_000, 100, replace=False)
        scores = draw.random(100)
        run[f"q{query}"] = {f"d{item}": float(score) for item, score in zip(items, scores, strict=True)}
        qrels[f"q{query}"] = {f"d{item}": int(draw.integers(1, 4)) for item in items[:5]}
    names = ["ndcg@10", "recall@10", "mrr", "map@100", "hit_rate@1"]

    def ours() -> Any:
        return rerec.evaluate(run, qrels, names, conventions="ranx")

    def theirs() -> Any:
        return ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), names)

    expected = theirs()
    assert all(abs(value - expected[name]) < 1e-9 for name, value in ours().items())
    measure("5 metrics of 1,000 lists of 100 from dicts, beside ranx", ours, theirs)
    made = ranx.Qrels(qrels), ranx.Run(run)
    measure("the same, ranx's own tables made before", ours, lambda: ranx.evaluate(*made, names))


class Measure:
    """Measures two sides in turn and prints a row of the table."""

    def __init__(self, rounds: int, clock: Callable[[], float]) -> None:
        self.rounds, self.clock = rounds, clock
        print(
            "| what | ours, ms: min / median | the other side, ms: min / median | ratio of medians |\n|---|---:|---:|---:|"
        )

    def __call__(self, what: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
        sides: tuple[list[float], list[float]] = ([], [])
        for _ in range(self.rounds):
            for times, side in zip(sides, (ours, theirs), strict=True):
                began = self.clock()
                side()
                times.append(1000 * (self.clock() - began))
        (least, median), (their_least, their_median) = ((min(times), statistics.median(times)) for times in sides)
        ratio = their_median / median
        print(
            f"| {what} | {least:.2f} / {median:.2f} | {their_least:.2f} / {their_median:.2f} | {ratio:.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"reward": reward, "advantages": advantages, "ranking": ranking}
    parser.add_argument("parts", nargs="*", choices=[*parts, "all"], default="all")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cpu", action="store_true")
    given = parser.parse_args()
    measure = Measure(given.rounds, time.process_time if given.cpu else time.perf_counter)
    for name in parts if "all" in given.parts else given.parts:
        parts[name](measure)


if __name__ == "__main__":
    main()
