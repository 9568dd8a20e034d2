"""The plug-in for verl, through verl's own registries and classes."""

import asyncio
import json
import os
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
from rerec.verl.token_level import shares_of


def batch(words: Any, *answers: tuple[str, ...], **extra: Any) -> DataProto:
    """Responses of one prompt token, padded behind, to records with this `extra_info`."""
    rows = [ids(words, *answer) for answer in answers]
    width = max(map(len, rows)) + 1
    responses = torch.tensor([row + [words.pad_token_id] * (width - len(row)) for row in rows])
    prompts = torch.full((len(rows), 1), words.unk_token_id)
    valid = torch.tensor([[1] + [1] * len(row) + [0] * (width - len(row)) for row in rows])
    truths = np.array([{"ground_truth": "Heat"}] * len(rows), dtype=object)
    tensors = TensorDict({"prompts": prompts, "responses": responses, "attention_mask": valid}, len(rows))
    records = {"reward_model": truths, "extra_info": np.array([extra] * len(rows), dtype=object)}
    return DataProto(batch=tensors, non_tensor_batch=records)


def changed(config: Path, **settings: Any) -> None:
    """Changes the file of settings, under a name that was not read yet."""
    other = config.with_name(f"{len(list(config.parent.iterdir()))}.json")
    other.write_text(json.dumps(json.loads(config.read_text()) | settings))
    os.environ["REREC_CONFIG"] = str(other)


def manager(words: Any) -> Any:
    return get_reward_manager_cls("rerec")(SimpleNamespace(), words, None)


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
    ours = manager(words)
    data = batch(words, RIGHT, WRONG)
    results = [ours.loop.run_until_complete(ours.run_single(data[place : place + 1])) for place in range(2)]
    scores = [result["reward_score"] for result in results]
    # 0.1 · 0.5 + 1 + 0.01; wrong, one of two genres shared; its step keeps 0.7 of it.
    assert scores == pytest.approx([1.06, 0.055])
    assert scores[1].tokens == pytest.approx([0.7 * 0.055, 0.055, 0.055])
    assert results[0]["reward_extra_info"]["acc"] == 1.0
    dense = type(ours).assemble_rm_scores(data, scores)
    torch.testing.assert_close(dense[1], torch.tensor([0.7 * 0.055, 0.055, 0.055, 0.0]) / 3)
    # What verl reports, whatever the length.
    assert dense.sum(-1).tolist() == pytest.approx([1.06, (0.7 + 2) / 3 * 0.055])
    sparse = type(ours).assemble_rm_scores(data, [1.0, 2.0])
    assert sparse.count_nonzero() == 2


def test_candidates_are_those_of_the_record(words: Any, config: Path) -> None:
    """An answer outside the candidates is one of the catalogue's, and still none of these."""
    ours = manager(words)

    def flags(**extra: Any) -> int:
        return ours.score(batch(words, WRONG, **extra)[0])["reward_extra_info"]["rerec_flags"]

    assert flags(candidates=None) == flags(candidates=["Heat", "Alien"]) == 0
    assert flags(candidates=["Heat", "Up"]) == flags(candidates=["Heat", "Up"], targets=["Heat"]) == 1
    with pytest.raises(rerec.RewardError, match="not among the candidates"):
        flags(candidates=["Alien", "Up"])


def test_items_are_named_as_the_settings_say(words: Any, config: Path) -> None:
    items = [{"id": "7", "title": "Heat"}, {"id": "8", "title": "Alien"}]
    (config.parent / "numbered.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    # A path of the file is relative to its folder.
    changed(config, catalogue="numbered.jsonl", graph=None, by="id")
    data = batch(words, RIGHT, candidates=["7", "8"])
    data.non_tensor_batch["reward_model"][0] = {"ground_truth": ["7"]}
    assert manager(words).score(data[0])["reward_extra_info"]["acc"] == 1.0
    with pytest.raises(rerec.RewardError, match="Heat"):
        manager(words).score(batch(words, RIGHT)[0])


def test_the_method_is_that_of_the_settings(words: Any, config: Path) -> None:
    """Penalties of length and the curriculum's metric too."""
    changed(config, assessor={"curriculum_metric": "hit", "overlong": {"max_tokens": 2, "cache": 1, "weight": 0.5}})
    result = manager(words).score(batch(words, RIGHT)[0])
    assert result["reward_score"] == pytest.approx(1.06 - 0.5)
    assert result["reward_extra_info"]["rerec_metric"] == 1.0


@pytest.mark.parametrize(
    ("assessor", "message"),
    [
        ({"parts": "normalised"}, 'assessor.parts must be "summed" in verl, .* got "normalised"'),
        ({"penalty": "advantage"}, 'assessor.penalty must be "reward" in verl'),
        ({"estimator": "grpo"}, 'assessor.estimator must be "raae" in verl, .* got "grpo"'),
        ({"length": {"weight": 0.1}}, "assessor.length must be left out in verl"),
    ],
)
def test_settings_that_compare_responses_are_refused(
    words: Any, config: Path, assessor: dict[str, Any], message: str
) -> None:
    changed(config, assessor=assessor)
    with pytest.raises(rerec.SettingError, match=message):
        manager(words)


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
    torch.testing.assert_close(output.as_dict()["rm_scores"], torch.tensor([0.35, 0.5]) / 2)
    output.reward_score = 0.5
    assert output.as_dict()["rm_scores"].tolist() == [0.0, 0.5]


def test_the_estimator_is_raae() -> None:
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    rewards = torch.tensor([[1.0, 2.0, 0.0], [3.0, 9.0, 9.0]]) / mask.sum(-1, keepdim=True)
    estimate = get_adv_estimator_fn("rerec_raae")
    got, returns = estimate(
        token_level_rewards=rewards, response_mask=mask, index=np.array(["q", "q"], object), config={}
    )
    torch.testing.assert_close(got, torch.tensor([[-1.0, 0, 0], [1.0, 0, 0]]), atol=2e-6, rtol=0)
    assert returns is got
    last = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    with pytest.raises(rerec.SettingError, match="stand on one token of each response"):
        estimate(token_level_rewards=last, response_mask=torch.ones(2, 3), index=np.array([0, 0]), config={})
    with pytest.raises(rerec.SettingError, match=r"algorithm\.use_kl_in_reward must be False"):
        estimate(
            token_level_rewards=rewards, response_mask=mask, index=np.array([0, 0]), config={"use_kl_in_reward": True}
        )


def test_equal_rewards_of_any_length_teach_nothing() -> None:
    """What dividing and multiplying leaves in the last bits would be all the variance that there is."""
    lengths = list(range(1, 400, 7))
    rewards, mask = torch.zeros(len(lengths), 400), torch.zeros(len(lengths), 400)
    for row, valid, length in zip(rewards, mask, lengths, strict=True):
        row[:length], valid[:length] = shares_of([0.0571428571] * length), 1
    torch.testing.assert_close(rewards.sum(-1), torch.full((len(lengths),), 0.0571428571))
    advantages, _ = get_adv_estimator_fn("rerec_raae")(
        token_level_rewards=rewards, response_mask=mask, index=np.array(["q"] * len(lengths), object), config={}
    )
    assert not advantages.any()


def test_the_estimator_has_the_settings_of_the_file(config: Path) -> None:
    changed(config, assessor={"estimator": {"estimator": "raae", "std": "none"}})
    got, _ = get_adv_estimator_fn("rerec_raae")(
        token_level_rewards=torch.tensor([[0.5, 1.0], [1.5, 1.0]]), response_mask=torch.ones(2, 2), index=[0, 0]
    )
    torch.testing.assert_close(got, torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))


@pytest.fixture
def dataset(config: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The data set over records in memory: reading files and templates is verl's business."""
    from verl.utils.dataset.rl_dataset import RLHFDataset

    from rerec.verl.dataset import CurriculumDataset

    monkeypatch.setattr(RLHFDataset, "__init__", lambda self, records: setattr(self, "dataframe", records))
    monkeypatch.setattr(RLHFDataset, "__getitem__", lambda self, place: self.dataframe[place])
    return lambda *queries: CurriculumDataset([{"extra_info": {"query": query}} for query in queries])


def one_pass(data: Any, records: int) -> list[str]:
    return [data[item]["extra_info"]["query"] for item in range(records)]


def told(data: Any, **metrics: float) -> None:
    records = {
        "extra_info": np.array([{"query": query} for query in metrics]),
        "rerec_metric": np.array(list(metrics.values())),
    }
    data.on_batch_end(SimpleNamespace(non_tensor_batch=records))


def test_a_data_set_in_the_order_of_a_curriculum(dataset: Any) -> None:
    data = dataset("q0", "q1", "q2")
    assert one_pass(data, 3) == ["q0", "q1", "q2"]
    told(data, q0=1.06, q1=0.0, q2=0.5)
    # q0 is mastered and left out; a pass stays as long as verl counted it, so that the next epoch begins in it.
    assert one_pass(data, 3) == ["q2", "q1", "q2"]
    # And what it did not reach comes first in the next.
    assert one_pass(data, 3) == ["q1", "q2", "q1"]


def test_what_verl_leaves_out_of_a_pass_comes_in_the_next(dataset: Any) -> None:
    data = dataset("q0", "q1", "q2")
    assert one_pass(data, 2) + one_pass(data, 1) == ["q0", "q1", "q2"]


def test_a_data_set_follows_the_metric_of_the_settings(dataset: Any, config: Path) -> None:
    changed(config, assessor={"curriculum_metric": "hit"})
    data = dataset("q0", "q1")
    one_pass(data, 2)
    told(data, q0=1.0, q1=0.0)
    one_pass(data, 1)
    assert data.curriculum.is_mastered("q0") and not data.curriculum.is_mastered("q1")


def test_a_data_set_loses_no_record(dataset: Any, config: Path) -> None:
    with pytest.raises(
        rerec.DataError, match=r"extra_info\.query\[2\] is 'q0', which extra_info\.query\[0\] already is"
    ):
        dataset("q0", "q1", "q0")
    changed(config, curriculum={"too_few": "stop"})
    with pytest.raises(rerec.SettingError, match=r'curriculum\.too_few must be "review" or "all", got "stop"'):
        dataset("q0", "q1")


def test_scores_do_not_block_the_loop(words: Any, config: Path) -> None:
    ours = manager(words)
    data = batch(words, *[RIGHT] * 8)

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(ours.run_single(data[place : place + 1]) for place in range(8)))

    assert len(ours.loop.run_until_complete(all_of_them())) == 8
