"""Metrics of ranked lists, beside ranx and pytrec_eval."""

from typing import Any

import numpy as np
import pytrec_eval
import ranx
from measure import Measure

import rerec

QUERIES, LISTED, ITEMS, JUDGED = 1000, 100, 100_000, 5


def run(measure: Measure) -> None:
    lists, qrels = ranked()
    beside_ranx(measure, lists, qrels)
    beside_trec_eval(measure, lists, qrels)


def ranked() -> tuple[dict[str, dict[str, float]], dict[str, dict[str, int]]]:
    """Scores of the items of each query, and the grades of five of them."""
    draw = np.random.default_rng(3)
    lists: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for query in range(QUERIES):
        items = draw.choice(ITEMS, LISTED, replace=False)
        scores = draw.random(LISTED)
        lists[f"q{query}"] = {f"d{item}": float(score) for item, score in zip(items, scores, strict=True)}
        qrels[f"q{query}"] = {f"d{item}": int(draw.integers(1, 4)) for item in items[:JUDGED]}
    return lists, qrels


def beside_ranx(measure: Measure, lists: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]]) -> None:
    names = ["ndcg@10", "recall@10", "mrr", "map@100", "hit_rate@1"]

    def ours() -> Any:
        return rerec.evaluate(lists, qrels, names, conventions="ranx")

    def theirs() -> Any:
        return ranx.evaluate(ranx.Qrels(qrels), ranx.Run(lists), names)

    expected = theirs()
    assert all(abs(value - expected[name]) < 1e-9 for name, value in ours().items())
    what = f"5 metrics of {QUERIES:,} lists of {LISTED}, from dicts"
    measure(what, "ranx", ours, theirs)
    made = ranx.Qrels(qrels), ranx.Run(lists)
    measure(what, "ranx, its tables made before", ours, lambda: ranx.evaluate(*made, names))


def beside_trec_eval(measure: Measure, lists: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]]) -> None:
    names = {"ndcg@10": "ndcg_cut_10", "recall@10": "recall_10", "mrr": "recip_rank", "map": "map"}

    def ours() -> Any:
        return rerec.evaluate(lists, qrels, list(names), conventions="trec_eval")

    def theirs() -> Any:
        evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.10", "recip_rank", "map"})
        return evaluator.evaluate(lists)

    of_queries = theirs().values()
    for name, value in ours().items():
        expected = np.mean([one[names[name]] for one in of_queries])
        assert abs(value - expected) < 1e-9, name
    measure(f"4 metrics of {QUERIES:,} lists of {LISTED}, from dicts", "pytrec_eval", ours, theirs)
