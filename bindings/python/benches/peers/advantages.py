"""Advantages of grouped responses, beside verl's and TRL's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from measure import Measure
from trl.trainer.utils import nanstd
from verl.trainer.ppo.core_algos import get_adv_estimator_fn

import rerec

RESPONSES, GROUP, TOKENS = 2560, 5, 768


def run(measure: Measure) -> None:
    draw = np.random.default_rng(2)
    mask = np.arange(TOKENS)[None] < draw.integers(100, TOKENS, RESPONSES)[:, None]
    outcome = draw.choice([0.05, 1.05], RESPONSES).astype(np.float32)
    index = np.repeat([f"query {number}" for number in range(RESPONSES // GROUP)], GROUP).astype(object)
    beside_verl(measure, outcome, mask, index)
    beside_trl(measure, outcome)
    beside_torch(measure, outcome, mask, index)


def beside_verl(measure: Measure, outcome: Any, mask: Any, index: Any) -> None:
    rewards = np.zeros((RESPONSES, TOKENS), np.float32)
    rewards[np.arange(RESPONSES), mask.sum(1) - 1] = outcome
    rows, valid = torch.from_numpy(rewards), torch.from_numpy(mask)
    for name in ("grpo", "grpo_vectorized"):
        estimator = get_adv_estimator_fn(name)

        def theirs(estimator: Callable[..., Any] = estimator) -> Any:
            return estimator(token_level_rewards=rows, response_mask=valid, index=index)

        def ours() -> Any:
            return rerec.advantages("grpo", groups=index, rewards=outcome, mask=mask)

        np.testing.assert_allclose(ours(), theirs()[0].numpy(), atol=1e-4)
        measure(f"grpo of {RESPONSES:,} x {TOKENS} tokens", f"verl's {name}", ours, theirs)


def beside_trl(measure: Measure, outcome: Any) -> None:
    """One advantage per response, which TRL computes inside its trainer from tensors of whole groups."""
    rewards = torch.from_numpy(outcome)

    def ours() -> Any:
        return rerec.advantages("grpo", groups=GROUP, rewards=outcome, preset="trl")

    def theirs() -> Any:
        means = torch.nanmean(rewards.view(-1, GROUP), dim=1).repeat_interleave(GROUP)
        stds = nanstd(rewards.view(-1, GROUP), dim=1).repeat_interleave(GROUP)
        return torch.nan_to_num((rewards - means) / (stds + 1e-4), nan=0.0)

    np.testing.assert_allclose(ours(), theirs().numpy(), atol=1e-4)
    measure(f"grpo of {RESPONSES:,} responses, one number each", "TRL's nanstd", ours, theirs)


def beside_torch(measure: Measure, outcome: Any, mask: Any, index: Any) -> None:
    """RAAE's formula, one group after another in one call of torch."""
    draw = np.random.default_rng(5)
    rewards = np.where(mask, outcome[:, None] * draw.choice([1.0, 0.7], mask.shape), 0).astype(np.float32)
    values, weights = torch.from_numpy(rewards), torch.from_numpy(mask).float()
    groups, number = torch.from_numpy(np.repeat(np.arange(RESPONSES // GROUP), GROUP)), RESPONSES // GROUP

    def ours() -> Any:
        return rerec.advantages("raae", groups=index, token_rewards=rewards, mask=mask)

    def theirs() -> Any:
        counts = torch.zeros(number).index_add_(0, groups, weights.sum(1))
        means = torch.zeros(number).index_add_(0, groups, (values * weights).sum(1)) / counts
        centred = (values - means[groups, None]) * weights
        squares = torch.zeros(number).index_add_(0, groups, (centred**2).sum(1))
        return centred / ((squares / (counts - 1)).sqrt() + 1e-6)[groups, None]

    np.testing.assert_allclose(ours(), theirs().numpy(), atol=1e-3)
    measure(f"raae of {RESPONSES:,} x {TOKENS} tokens", "torch's index_add", ours, theirs)
