"""Curriculum and token rewards in one run of verl: its synchronous trainer, its workers' own writing, its data loader.

What needs GPUs is left out, the model with its updates and the servers that sample. What answers is scripted, and TransferQueue's store,
which runs on Ray, is a dict.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transfer_queue
import verl
from answers import RIGHT, WRONG, ids
from omegaconf import OmegaConf
from tensordict import NonTensorData, NonTensorStack, TensorDict
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics
from verl.experimental.reward_loop.reward_manager.registry import get_reward_manager_cls
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopWorkerTQ
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

import rerec
from rerec.verl.agent import TokenRewardOutput


def plain(value: Any) -> Any:
    return value.data if isinstance(value, NonTensorData) else value


class Store:
    """What TransferQueue keeps: a tag and fields for each key of a partition."""

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, Any]] = defaultdict(dict)
        self.fields: dict[str, dict[str, Any]] = defaultdict(dict)

    def kv_batch_put(self, keys: list[str], partition_id: str, fields: Any = None, tags: Any = None) -> Any:
        for place, key in enumerate(keys):
            if tags is not None:
                self.tags[partition_id].setdefault(key, {}).update(tags[place])
            if fields is not None:
                row = {name: plain(value) for name, value in fields[place].items()}
                self.fields[partition_id].setdefault(key, {}).update(row)
        return SimpleNamespace(keys=keys, partition_id=partition_id)

    async def async_kv_batch_put(self, **arguments: Any) -> None:
        self.kv_batch_put(**arguments)

    async def async_kv_put(self, key: str, partition_id: str, tag: Any) -> None:
        self.kv_batch_put([key], partition_id, tags=[tag])

    def kv_list(self) -> Any:
        return {partition: dict(tags) for partition, tags in self.tags.items()}

    def kv_clear(self, partition_id: str, keys: Iterable[str]) -> None:
        for key in keys:
            self.tags[partition_id].pop(key, None)

    def kv_batch_get(self, keys: list[str], partition_id: str, select_fields: list[str]) -> TensorDict:
        rows = [self.fields[partition_id][key] for key in keys]
        known = [name for name in select_fields if name in rows[0]]
        return TensorDict({name: column([row[name] for row in rows]) for name in known}, len(keys))


def column(values: list[Any]) -> Any:
    """Tensors come ragged, also where their lengths are equal."""
    if isinstance(values[0], torch.Tensor):
        return torch.nested.as_nested_tensor(values, layout=torch.jagged)
    return NonTensorStack(*values)


class Worker(AgentLoopWorkerTQ.__ray_metadata__.modified_class):  # type: ignore[misc,name-defined]
    """verl's worker with a script for the model: what each query is answered, response by response."""

    def __init__(self, words: Any, script: dict[str, list[tuple[str, ...]]], config: Any) -> None:
        self.words, self.script, self.config = words, script, config
        self.processor, self.mm_processor_kwargs, self.distillation_enabled = None, None, False
        self.background_tasks = set()
        self.asked: list[str] = []
        manager = get_reward_manager_cls("rerec")(config, words, None)

        async def compute_score(data: Any) -> Any:
            # Not in a thread: responses would be finished in another order each time.
            return manager.score(data[0])

        self.reward_loop_worker_handles = [SimpleNamespace(compute_score=SimpleNamespace(remote=compute_score))]

    async def _run_agent_loop(
        self, params: Any, trajectory: Any, *, session_id: int, trace: bool, **prompt: Any
    ) -> Any:
        response = ids(self.words, *self.script[prompt["extra_info"]["query"]][session_id])
        made: dict[str, Any] = {"prompt_ids": [3], "response_ids": response, "response_mask": [1] * len(response)}
        output = TokenRewardOutput(**made, metrics=AgentLoopMetrics())
        return await self._agent_loop_postprocess(output, trajectory["validate"], session_id=session_id, **prompt)

    def generate(self, batch: TensorDict) -> None:
        self.asked = list(dict.fromkeys(info["query"] for info in batch["extra_info"]))

        async def all_of_them() -> None:
            await self.generate_sequences(batch)
            await asyncio.gather(*self.background_tasks)

        asyncio.run(all_of_them())


QUERIES = {"q0": [RIGHT, RIGHT], "q1": [RIGHT, WRONG], "q2": [WRONG, WRONG], "q3": [WRONG, RIGHT]}


def records(folder: Path) -> str:
    path = folder / "train.jsonl"
    prompt = [{"role": "user", "content": "crime tonight"}]
    rows = [
        {
            "prompt": prompt,
            "data_source": "toy",
            "reward_model": {"ground_truth": "Heat"},
            "extra_info": {"query": query},
        }
        for query in QUERIES
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def settings(tmp_path: Path, config: Path) -> Any:
    """verl's defaults with the plug-in."""
    defaults = OmegaConf.load(Path(verl.__file__).parent / "trainer/config/_generated_ppo_trainer.yaml")
    file = records(tmp_path)
    return OmegaConf.merge(
        defaults,
        {
            "algorithm": {"adv_estimator": "rerec_raae"},
            "data": {
                "train_files": file,
                "val_files": file,
                "cache_dir": str(tmp_path),
                "train_batch_size": 2,
                "shuffle": False,
                "dataloader_num_workers": 0,
                "filter_overlong_prompts": False,
                "custom_cls": {"path": "pkg://rerec.verl.dataset", "name": "CurriculumDataset"},
            },
            "actor_rollout_ref": {"rollout": {"n": 2}},
            "trainer": {
                "v1": {
                    "sampler": {
                        "custom_sampler": {"path": "pkg://rerec.verl.replay_buffer", "name": "CurriculumReplayBuffer"}
                    }
                }
            },
        },
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, words: Any, settings: Any) -> Callable[[], Any]:
    """Makes verl's trainer, as far as it needs no GPU; both that a test makes share a store."""
    store = Store()
    for name in ("kv_batch_put", "async_kv_batch_put", "async_kv_put", "kv_list", "kv_clear", "kv_batch_get"):
        monkeypatch.setattr(transfer_queue, name, getattr(store, name))

    def made() -> Any:
        trainer = PPOTrainerSync(settings)
        trainer.tokenizer, trainer.processor, trainer.global_steps = words, None, 1
        trainer._init_dataloader()
        worker = Worker(words, QUERIES, settings)
        trainer.agent_loop_manager = SimpleNamespace(generate_sequences=worker.generate, worker=worker)
        return trainer

    return made


def step(trainer: Any) -> tuple[list[str], dict[str, torch.Tensor]]:
    """The queries of a step in the order they were asked, and the advantages of the tokens of each one's second response."""
    trainer.prepare_step()
    batch, _ = trainer.replay_buffer.sample(trainer.global_steps, "train", 2)
    trainer._compute_advantage(batch, {})
    rows = transfer_queue.kv_batch_get(batch.keys, "train", ["extra_info", "advantages"])
    # Responses lie in the order in which they were finished; their keys are `{uid}_{session}_{index}`.
    sessions = [key.rsplit("_", 2)[1] for key in batch.keys]
    found = zip(sessions, rows["extra_info"], rows["advantages"].unbind(), strict=True)
    second = {info["query"]: advantages for session, info, advantages in found if session == "1"}
    return trainer.agent_loop_manager.worker.asked, second


def test_one_trainer_has_token_rewards_and_curriculum(run: Callable[[], Any]) -> None:
    trainer = run()
    asked, advantages = step(trainer)
    assert asked == ["q0", "q1"]
    # q0 was answered rightly twice; of q1 the second response is wrong, and its step is worth less than its answer.
    assert not advantages["q0"].any()
    assert advantages["q1"][0] < advantages["q1"][1] == advantages["q1"][2] < 0
    assert step(trainer)[0] == ["q2", "q3"]
    curriculum = trainer.train_dataset.curriculum
    assert curriculum.is_mastered("q0") is False  # Known when its epoch ends.
    # The next pass: without q0, the easiest first, and filled with the one after.
    assert step(trainer)[0] == ["q1", "q3"]
    assert curriculum.is_mastered("q0")


def test_a_run_that_is_resumed_goes_on_with_its_curriculum(run: Callable[[], Any]) -> None:
    trainer = run()
    steps = [step(trainer)[0] for _ in range(2)]
    # In the middle of the second pass, as verl keeps it.
    steps.append(step(trainer)[0])
    kept = trainer.train_dataloader.state_dict()
    again = run()
    again.train_dataloader.load_state_dict(kept)
    for _ in range(4):
        assert step(again)[0] == step(trainer)[0]
    assert again.train_dataset.curriculum.state() == trainer.train_dataset.curriculum.state()


def test_a_damaged_state_is_refused(run: Callable[[], Any]) -> None:
    data = run().train_dataset
    state = data.state_dict()
    with pytest.raises(rerec.SettingError, match="the state of a data set must have 'served'"):
        data.load_state_dict({"curriculum": state["curriculum"]})
    with pytest.raises(rerec.DataError, match=r"extra_info\.query must name every query of the state, .* 'q9'"):
        data.load_state_dict(state | {"served": ["q9"]})
    assert data.state_dict() == state


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trainer": {"v1": {"trainer_mode": "colocate_async"}}}, 'trainer_mode must be "sync" .* "colocate_async"'),
        (
            {"algorithm": {"filter_groups": {"enable": True, "metric": "acc"}}},
            r"algorithm\.filter_groups\.enable must be",
        ),
        (
            {"trainer": {"v1": {"sampler": {"sync_refill_failed_groups": True}}}},
            "sync_refill_failed_groups must be False",
        ),
    ],
)
def test_what_verl_would_leave_out_is_refused(settings: Any, changed: Any, message: str) -> None:
    with pytest.raises(rerec.SettingError, match=message):
        PPOTrainerSync(OmegaConf.merge(settings, changed))


def test_a_data_set_without_curriculum_is_refused(run: Callable[[], Any], settings: Any) -> None:
    settings.data.custom_cls = {"path": None, "name": None}
    with pytest.raises(
        rerec.SettingError, match=r"data\.custom_cls\.name must be CurriculumDataset .* got RLHFDataset"
    ):
        step(run())
