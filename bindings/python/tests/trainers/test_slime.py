"""The functions for slime, with a stand-in for its samples and data source: slime is not on PyPI."""

import asyncio
import dataclasses
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from answers import RIGHT, WRONG, ids

import rerec
import rerec.slime


@dataclasses.dataclass
class Sample:
    """The fields of slime's samples that are read."""

    response: str
    tokens: list[int]
    response_length: int
    label: str = "Heat"
    metadata: dict[str, Any] | None = None
    group_index: int | None = None
    index: int | None = None


def sample(words: Any, answer: tuple[str, ...], group: int, query: str) -> Sample:
    sampled = ids(words, *answer)
    text = words.decode(sampled, skip_special_tokens=True)
    return Sample(text, [0, 0, *sampled], len(sampled), metadata={"query": query}, group_index=group)


@pytest.fixture
def args(words: Any, tmp_path: Path) -> SimpleNamespace:
    words.save_pretrained(tmp_path / "model")
    return SimpleNamespace(
        hf_checkpoint=str(tmp_path / "model"), n_samples_per_prompt=2, save=str(tmp_path), load=str(tmp_path)
    )


def test_rewards_of_one_and_of_many(words: Any, config: Path, args: SimpleNamespace) -> None:
    right, wrong = sample(words, RIGHT, 0, "q"), sample(words, WRONG, 0, "q")
    assert asyncio.run(rerec.slime.reward(args, right)) == pytest.approx(1.06)
    assert asyncio.run(rerec.slime.reward(args, [right, wrong])) == pytest.approx([1.06, 0.055])


def test_advantages_of_tokens(words: Any, config: Path, args: SimpleNamespace) -> None:
    samples = [sample(words, answer, group, "q") for group, answer in ((1, RIGHT), (2, WRONG), (1, WRONG), (2, WRONG))]
    raw, rewards = rerec.slime.post_process(args, samples)
    assert raw == pytest.approx([1.06, 0.055, 0.055, 0.055])
    data: dict[str, Any] = {
        "rewards": rewards,
        "loss_masks": [torch.ones(3), torch.ones(3), torch.ones(3), torch.tensor([1.0, 1, 0])],
    }
    rerec.slime.advantages(args, data)
    rows = [[1.06] * 3, [0.0385, 0.055, 0.055]]
    expected = rerec.advantages("raae", groups=2, token_rewards=[torch.tensor(row).double().numpy() for row in rows])
    for got, want in ((0, 0), (2, 1)):
        torch.testing.assert_close(data["advantages"][got], torch.from_numpy(expected[want]).float(), atol=1e-5, rtol=0)
    assert data["advantages"][3][2] == 0 and len(data["returns"]) == 4
    with pytest.raises(rerec.SettingError, match="custom-reward-post-process-path"):
        rerec.slime.advantages(args, {"rewards": [1.0], "loss_masks": [torch.ones(2)]})
    with pytest.raises(rerec.SettingError, match="context-parallel-size"):
        rerec.slime.advantages(args, {"rewards": rewards[:1], "loss_masks": [torch.ones(2)]})


@pytest.fixture
def with_source(words: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module over a stand-in for slime's data source."""

    class RolloutDataSourceWithBuffer:
        def __init__(self, args: Any) -> None:
            self.args, self.epoch_id, self.sample_group_index, self.sample_index = args, 0, 0, 0
            samples = [sample(words, RIGHT, 0, query) for query in getattr(args, "queries", "abc")]
            self.dataset = SimpleNamespace(samples=samples)
            self.buffer: list[list[Any]] = []

        def add_samples(self, samples: list[list[Any]]) -> None:
            self.buffer.extend(samples)

        def _get_samples_from_buffer(self, num_samples: int) -> list[list[Any]]:
            taken, self.buffer = self.buffer[:num_samples], self.buffer[num_samples:]
            return taken

        def save(self, rollout_id: Any) -> None: ...

        def load(self, rollout_id: Any = None) -> None: ...

    for name in ("slime", "slime.rollout", "slime.rollout.data_source"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    stand_in: Any = sys.modules["slime.rollout.data_source"]
    stand_in.RolloutDataSourceWithBuffer = RolloutDataSourceWithBuffer
    yield importlib.reload(rerec.slime)
    monkeypatch.undo()
    importlib.reload(rerec.slime)


def served(groups: list[list[Any]]) -> list[str]:
    return [group[0].metadata["query"] for group in groups]


def test_a_data_source_in_the_order_of_a_curriculum(
    with_source: Any, config: Path, args: SimpleNamespace, words: Any
) -> None:
    source = with_source.DataSource(args)
    groups = source.get_samples(3)
    assert served(groups) == ["a", "b", "c"]
    assert [[one.index for one in group] for group in groups] == [[0, 1], [2, 3], [4, 5]]
    assert [group[0].group_index for group in groups] == [0, 1, 2]
    answered = [
        sample(words, answer, place, query)
        for place, (query, answer) in enumerate(zip("abc", (RIGHT, WRONG, WRONG), strict=True))
    ]
    with_source.post_process(args, answered)
    # a is mastered; the others follow, b before c.
    assert served(source.get_samples(2)) == ["b", "c"]
    source.save(7)
    again = with_source.DataSource(args)
    again.load(7)
    assert again.curriculum.state() == source.curriculum.state()


def test_what_was_not_sampled_to_the_end_is_sampled_again(
    with_source: Any, config: Path, args: SimpleNamespace
) -> None:
    source = with_source.DataSource(args)
    # A batch of the curriculum has two queries, so that b waits.
    [begun] = source.get_samples(1)
    source.add_samples([begun])
    source.save(3)
    again = with_source.DataSource(args)
    again.load(3)
    assert served(again.get_samples(3)) == ["a", "b", "c"]
    (Path(args.save) / "rollout/curriculum_3.json").write_text("{}")
    with pytest.raises(rerec.SettingError, match=r"cannot read .*curriculum_3\.json: 'curriculum'"):
        again.load(3)


def test_a_checkpoint_is_whole_or_that_of_before(
    with_source: Any, config: Path, args: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = with_source.DataSource(args)
    source.save(3)
    folder = Path(args.save) / "rollout"
    before = (folder / "curriculum_3.json").read_bytes()
    source.get_samples(2)

    def full_disk(file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken, pytest.raises(OSError, match="No space left"):
        broken.setattr(os, "fsync", full_disk)
        source.save(3)
    assert [path.name for path in folder.iterdir()] == ["curriculum_3.json"]
    assert (folder / "curriculum_3.json").read_bytes() == before
    source.save(3)
    assert (folder / "curriculum_3.json").read_bytes() != before


def test_partial_rollouts_are_resumed_first(with_source: Any, config: Path, args: SimpleNamespace) -> None:
    source = with_source.DataSource(args)
    first = source.get_samples(2)
    source.add_samples(first[:1])
    groups = source.get_samples(2)
    assert groups[0] is first[0] and served(groups) == ["a", "c"]


def test_a_data_source_loses_no_sample(with_source: Any, config: Path, args: SimpleNamespace) -> None:
    args.queries = "aba"
    with pytest.raises(rerec.DataError, match=r"metadata\.query\[2\] is 'a', which metadata\.query\[0\] already is"):
        with_source.DataSource(args)
