"""The plug-in for verl, through verl's own registries and classes."""

import asyncio
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from answers import RIGHT, WRONG, ids
from tensordict import TensorDict
from verl import DataProto
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics
from verl.experimental.reward_loop.reward_manager.registry import get_reward_manager_cls
from verl.trainer.ppo.core_algos import get_adv_estimator_fn

import rerec
from rerec.token_reward import TokenReward
from rerec.verl.agent import TokenRewardOutput


def batch(words: Any, *answers: tuple[str, ...]) -> DataProto:
    """Responses of one prompt token, padded behind."""
    rows = [ids(words, *answer) for answer in answers]
    width = max(map(len, rows)) + 1
    responses = torch.tensor([row + [words.pad_token_id] * (width - len(row)) for row in rows])
    prompts = torch.full((len(rows), 1), words.unk_token_id)
    valid = torch.tensor([[1] + [1] * len(row) + [0] * (width - len(row)) for row in rows])
    truths = np.array([{"ground_truth": "Heat"}] * len(rows), dtype=object)
    tensors = TensorDict({"prompts": prompts, "responses": responses, "attention_mask": valid}, len(rows))
    return DataProto(batch=tensors, non_tensor_batch={"reward_model": truths})


def test_verl_finds_the_plug_in_by_itself() -> None:
    """In a process that imports verl alone."""
    asked = (
        "from verl.experimental.reward_loop.reward_manager.registry import get_reward_manager_cls as manager\n"
        "from verl.trainer.ppo.core_algos import get_adv_estimator_fn as estimator\n"
        "print(manager('rerec').__name__, estimator('rerec_raae').__name__)"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["ReRecRewardManager", "raae"]


def test_the_reward_manager_gives_token_rewards(words: Any, config: Path) -> None:
    manager = get_reward_manager_cls("rerec")(SimpleNamespace(), words, None)
    data = batch(words, RIGHT, WRONG)
    results = [manager.loop.run_until_complete(manager.run_single(data[place : place + 1])) for place in range(2)]
    scores = [result["reward_score"] for result in results]
    # 0.1 · 0.5 + 1 + 0.01; wrong, one of two genres shared; its step keeps 0.7 of it.
    assert scores == pytest.approx([1.06, 0.055])
    assert scores[1].tokens == pytest.approx([0.7 * 0.055, 0.055, 0.055])
    assert results[0]["reward_extra_info"]["acc"] == 1.0
    dense = type(manager).assemble_rm_scores(data, scores)
    torch.testing.assert_close(dense[1], torch.tensor([0.7 * 0.055, 0.055, 0.055, 0.0]))
    sparse = type(manager).assemble_rm_scores(data, [1.0, 2.0])
    assert sparse.count_nonzero() == 2


def test_the_agent_loop_writes_token_rewards() -> None:
    reward = pickle.loads(pickle.dumps(TokenReward(0.5, [0.35, 0.5])))
    made: dict[str, Any] = {
        "prompt_ids": [1],
        "response_ids": [2, 3],
        "response_mask": [1, 1],
        "metrics": AgentLoopMetrics(),
    }
    output = TokenRewardOutput(**made)
    output.reward_score = reward
    torch.testing.assert_close(output.as_dict()["rm_scores"], torch.tensor([0.35, 0.5]))
    output.reward_score = 0.5
    assert output.as_dict()["rm_scores"].tolist() == [0.0, 0.5]


def test_the_estimator_is_raae() -> None:
    rewards = torch.tensor([[1.0, 2.0, 0.0], [3.0, 9.0, 9.0]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    estimate = get_adv_estimator_fn("rerec_raae")
    got, returns = estimate(
        token_level_rewards=rewards, response_mask=mask, index=np.array(["q", "q"], object), config={}
    )
    torch.testing.assert_close(got, torch.tensor([[-1.0, 0, 0], [1.0, 0, 0]]), atol=2e-6, rtol=0)
    assert returns is got
    last = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    with pytest.raises(rerec.SettingError, match="stand on one token of each response"):
        estimate(token_level_rewards=last, response_mask=torch.ones(2, 3), index=np.array([0, 0]), config={})


def test_a_data_set_in_the_order_of_a_curriculum(config: Path) -> None:
    from verl.utils.dataset.rl_dataset import RLHFDataset

    from rerec.verl.dataset import CurriculumDataset

    records = [{"extra_info": {"query": f"q{place}"}} for place in range(3)]

    class Known(CurriculumDataset):
        """The data set over records in memory: reading files and templates is verl's business."""

    original = RLHFDataset.__init__, RLHFDataset.__getitem__
    RLHFDataset.__init__ = lambda self, *_, **__: setattr(self, "dataframe", records)
    RLHFDataset.__getitem__ = lambda self, place: records[place]
    try:
        data = Known()
        assert [data[item]["extra_info"]["query"] for item in range(3)] == ["q0", "q1", "q2"]
        told = {
            "extra_info": np.array([{"query": q} for q in ("q0", "q1", "q2")]),
            "rerec_reward": np.array([1.06, 0.0, 0.5]),
        }
        data.on_batch_end(SimpleNamespace(non_tensor_batch=told))
        # q0 is mastered and left out; a pass stays as long as verl counted it, so that the next epoch begins in it.
        assert [data[item]["extra_info"]["query"] for item in range(3)] == ["q2", "q1", "q2"]
    finally:
        RLHFDataset.__init__, RLHFDataset.__getitem__ = original


def test_scores_do_not_block_the_loop(words: Any, config: Path) -> None:
    manager = get_reward_manager_cls("rerec")(SimpleNamespace(), words, None)
    data = batch(words, *[RIGHT] * 8)

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(manager.run_single(data[place : place + 1]) for place in range(8)))

    assert len(manager.loop.run_until_complete(all_of_them())) == 8
