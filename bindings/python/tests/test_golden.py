"""The values of other systems that the crates are tested with, through the package."""

import math
from typing import Any

import numpy as np
import pytest
from recorded import golden

import rerec

# Whole tables of the crates' tests; each says where its values come from.
ADVANTAGES = golden("advantage/tests/data/advantage.json")["batches"]
RANKING = golden("rewards/tests/data/ranking.json")["cases"]
REWARDS = golden("rewards/tests/data/rewards.json")
TOKENS = golden("advantage/tests/data/token_scores.json")["cases"]

ESTIMATORS: dict[str, Any] = {
    "raae": "raae",
    "raae_population_std": {"estimator": "raae", "std": "population"},
    "raae_centered": {"estimator": "raae", "std": "none"},
    "grpo": "grpo",
    "dr_grpo": "dr_grpo",
    "rloo": "rloo",
    "opo": "opo",
    "gpg": "gpg",
    "grpo_passk": "pass_k",
    "reinforce_pp_baseline": "reinforce_pp_baseline",
}


def token_rewards(batch: dict[str, Any], name: str) -> list[Any]:
    """The rewards of tokens, or each response's reward at its last valid token."""
    if "raae" in name:
        return [np.array(row, float) for row in batch["token_rewards"]]
    rows = [np.zeros(len(row)) for row in batch["mask"]]
    for row, last, outcome in zip(rows, batch["last"], batch["outcome"], strict=True):
        if last is not None:
            row[last] = outcome
    return rows


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name: str) -> None:
    for batch in (batch for batch in ADVANTAGES if name in batch["expect"]):
        mask = [np.array(row, bool) for row in batch["mask"]]
        rewards = token_rewards(batch, name)
        got = rerec.advantages(ESTIMATORS[name], groups=batch["uid"], mask=mask, token_rewards=rewards)
        # The deviation 1 of a group of one is an f32 there, so that 1 + 1e-6 is 1 + 9.54e-7.
        tolerance = 3e-8 if name == "grpo" else 1e-9
        for row, valid, expected in zip(got, mask, batch["expect"][name], strict=True):
            np.testing.assert_allclose(row, np.array(expected) * valid, rtol=tolerance, atol=tolerance)


def run_and_qrels(case: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    scores = {item: float(-place) for place, item in enumerate(case["ranked"])}
    return {case["id"]: scores}, {case["id"]: case["rels"]}


@pytest.mark.parametrize(
    ("library", "conventions", "names"),
    [
        ("ranx", "ranx", {"ndcg@k": "ndcg@k", "precision@k": "precision@k", "recall@k": "recall@k", "f1@k": "f1@k",
                          "hit_rate@k": "hit_rate@k", "mrr@k": "mrr@k", "map@k": "map@k", "ndcg": "ndcg",
                          "r-precision": "r_precision", "rbp.80": "rbp"}),
        ("pytrec_eval", "trec_eval", {"ndcg@k": "ndcg@k", "success@k": "hit_rate@k", "map": "map", "mrr": "mrr",
                                      "rprec": "r_precision", "bpref": "bpref"}),
        ("recbole", "recbole", {"ndcg@k": "ndcg@k", "recall@k": "recall@k", "hit@k": "hit_rate@k", "map@k": "map@k"}),
    ],
)  # fmt: skip
def test_ranking(library: str, conventions: str, names: dict[str, str]) -> None:
    compared = 0
    for case in RANKING:
        run, qrels = run_and_qrels(case)
        for theirs, ours in names.items():
            expected = case.get(library, {}).get(theirs)
            if expected is None:
                continue
            name = ours.replace("@k", f"@{case['k']}")
            [got] = rerec.evaluate(run, qrels, [name], conventions=conventions).values()
            assert got == pytest.approx(expected, abs=1e-9), (case["id"], theirs)
            compared += 1
    assert compared >= 90 * len(names)


def items_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    titles = {title.strip(): [] for title in case["ground_truth"].split(";") if title.strip()}
    for title, attribute in REWARDS["graphs"].get(case["graph"], []):
        titles.setdefault(title, []).append({"relation": "attribute", "value": attribute})
    for title in REWARDS["extra_nodes"].get(case["graph"], []):
        titles.setdefault(title, [])
    return [{"id": title, "title": title, "attributes": known} for title, known in titles.items()]


def test_rewards_of_the_released_code() -> None:
    """Its answers are read more carefully here in a few cases, which the crate's tests list one by one."""
    equal = 0
    for case in REWARDS["cases"]:
        catalogue = rerec.Catalogue(items_of(case))
        graph = rerec.AttributeGraph(catalogue, {"missing": {"score": 0.0}}) if case["graph"] else None
        settings = {"cutoff": case["k"], "answer": "first", "title_match": "exact"}
        reward = rerec.DualGraphReward(catalogue, graph, settings=settings)
        targets = [title.strip() for title in case["ground_truth"].split(";") if title.strip()]
        scored = reward.score([case["solution"]], [targets], by="id", on_error="nan")
        expected = (case.get("trimmed") or case["official"])["total"]
        equal += expected is not None and math.isclose(scored.totals[0], expected, rel_tol=0, abs_tol=1e-12)
    assert equal == 212


def test_token_rewards_of_the_released_code() -> None:
    """Where both agree on every token, and the answer is read alike."""
    compared = asked = 0
    for case in TOKENS:
        if not case["agree"] or case["mode"] != "rule" or "raw_hex" in case or "multi" in " ".join(case["tags"]):
            continue
        titles = list(dict.fromkeys(t.strip() for t in case["ground_truth"].split(";") if t.strip()))
        if not titles:
            continue
        rules = [{"rule": "step_penalty", "min_ratio": case["min_ratio"], "max_ratio": case["max_ratio"]}]
        settings = {"mentions": "substring", "rules": rules}
        credit = rerec.Credit(rerec.Catalogue(titles), settings, answer="first", title_match="exact")
        [got] = credit.assign(
            [case["response"]], [case["byte_lens"]], targets=[titles], rewards=[case["reward"]], by="id"
        )
        asked += 1
        compared += bool(np.allclose(got.token_rewards, case["official"], rtol=0, atol=1e-6))
    assert (compared, asked) == (64, 65)
