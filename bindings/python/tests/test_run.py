"""The package gives the numbers of `rerec train` on the same rollouts."""

from typing import Any

import numpy as np
import pytest

import rerec


def assess(run: dict[str, Any], reward: rerec.DualGraphReward, order: list[int]) -> rerec.Assessment:
    pick = lambda name: [run[name][place] for place in order]  # noqa: E731
    return rerec.Assessor(reward).assess(
        pick("texts"),
        pick("byte_lens"),
        queries=pick("queries"),
        targets=pick("targets"),
        candidates=pick("candidates"),
    )


def check(run: dict[str, Any], assessed: rerec.Assessment, order: list[int]) -> int:
    records = [run["records"][place] for place in order]
    totals = [record["reward"]["total"] for record in records]
    np.testing.assert_allclose(assessed.rewards.totals, totals, rtol=0, atol=1e-12)
    shares = [np.mean([step["penalised"] for step in record["steps"]]) for record in records]
    np.testing.assert_allclose(assessed.penalised_shares, shares)
    steps = 0
    for record, advantages, seen in zip(records, assessed.advantages, assessed.steps, strict=True):
        assert len(advantages) == record["tokens"] == len(record["token_byte_lens"])
        assert [step["span"] for step in seen] == [step["span"] for step in record["steps"]]
        for step in record["steps"]:
            mean = advantages[step["tokens"]["start"] : step["tokens"]["end"]].mean()
            assert abs(mean - step["advantage"]) <= 1e-6
            steps += 1
    return steps


def test_rewards_and_advantages_are_those_of_the_run(run: dict[str, Any], run_reward: rerec.DualGraphReward) -> None:
    order = list(range(len(run["texts"])))
    assert check(run, assess(run, run_reward, order), order) == 240


def test_no_width_ends_the_process(run: dict[str, Any], run_reward: rerec.DualGraphReward) -> None:
    assessed = assess(run, run_reward, [0, 1])
    for width in (20_000_000_000_000, 9 * 10**18):
        with pytest.raises((MemoryError, ValueError)):
            assessed.padded_advantages(width)
    with pytest.raises(ValueError, match="width must be at least 119, the tokens of the longest response, got 3"):
        assessed.padded_token_rewards(3)


def test_no_position_is_an_identity(run: dict[str, Any], run_reward: rerec.DualGraphReward) -> None:
    order = np.random.default_rng(0).permutation(len(run["texts"])).tolist()
    assert check(run, assess(run, run_reward, order), order) == 240


def test_the_parts_alone_give_the_same_advantages(run: dict[str, Any], run_reward: rerec.DualGraphReward) -> None:
    order = list(range(len(run["texts"])))
    assessed = assess(run, run_reward, order)
    credit = rerec.Credit(run_reward.catalogue).assign(
        run["texts"],
        run["byte_lens"],
        targets=run["targets"],
        candidates=run["candidates"],
        rewards=assessed.rewards.totals,
    )
    rows = [credited.token_rewards for credited in credit]
    for got, expected in zip(rows, assessed.token_rewards, strict=True):
        np.testing.assert_array_equal(got, expected)
    ragged = rerec.advantages("raae", groups=run["queries"], token_rewards=rows)
    for got, expected in zip(ragged, assessed.advantages, strict=True):
        np.testing.assert_array_equal(got, expected)
    width = max(map(len, rows)) + 3
    padded = np.full((len(rows), width), np.nan)
    mask = np.zeros((len(rows), width), bool)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
        mask[place, : len(row)] = True
    together = rerec.advantages("raae", groups=run["queries"], token_rewards=padded, mask=mask)
    np.testing.assert_allclose(together, assessed.padded_advantages(width), rtol=0, atol=1e-6)
