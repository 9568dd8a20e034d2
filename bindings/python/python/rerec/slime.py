"""ReRec in slime, by its paths of functions:

    --custom-rm-path rerec.slime.reward
    --custom-reward-post-process-path rerec.slime.post_process
    --custom-advantage-function-path rerec.slime.advantages
    --data-source-path rerec.slime.DataSource

The variable `REREC_CONFIG` names the file of settings (`rerec.parts.Parts`). Samples hold their right titles in `label`; `metadata` may
hold `candidates` and, for the curriculum, `query`, the id of the query.

slime is not on PyPI: this was written to its documented hooks and tested against a stand-in for its samples, not in a run.
"""

import asyncio
import copy
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from rerec import Assessment, Curriculum, DataError, SettingError, TokenBytes, token_bytes
from rerec.parts import Parts
from rerec.sampler import places_of
from rerec.token_reward import TokenReward
from rerec.whole_file import write_whole

try:
    from slime.rollout.data_source import RolloutDataSourceWithBuffer
except ImportError:  # Rewards and advantages do without it.
    RolloutDataSourceWithBuffer = object

__all__ = ["DataSource", "advantages", "post_process", "reward"]

# The curriculum of this process's data source, which is told of rewards where they are post-processed: in the same process.
_followed: list[Curriculum] = []


async def reward(args: Any, sample: Any, **_: Any) -> Any:
    """The reward of a sample, or the rewards of a list of them.

    Raises:
        RewardError: The sample's data are at fault.
    """
    samples = sample if isinstance(sample, list) else [sample]
    totals = await asyncio.to_thread(_totals, samples)
    return totals if isinstance(sample, list) else totals[0]


def _totals(samples: Sequence[Any]) -> list[float]:
    parts = Parts.load()
    targets, candidates = _questions(samples)
    scored = parts.reward.score([sample.response for sample in samples], targets, candidates, by=parts.by)
    totals: list[float] = scored.totals.tolist()
    return totals


def post_process(args: Any, samples: Sequence[Any]) -> tuple[list[float], list[TokenReward]]:
    """Raw rewards and, for training, the same with the advantage of each token; groups are those of `group_index`.

    Also tells the curriculum of the data source, if there is one.
    """
    assessed = _assess(args, samples)
    for curriculum in _followed:
        for sample, metric in zip(samples, assessed.metrics.tolist(), strict=True):
            if metric == metric:
                curriculum.record(_query(sample), [metric])
    raw = [float(total) for total in assessed.rewards.totals]
    rows = zip(raw, assessed.advantages, strict=True)
    return raw, [TokenReward(total, row.tolist()) for total, row in rows]


def _assess(args: Any, samples: Sequence[Any]) -> Assessment:
    parts = Parts.load()
    tokens = _tokens(args.hf_checkpoint, parts.vocab_size)
    ids = [list(sample.tokens[len(sample.tokens) - sample.response_length :]) for sample in samples]
    texts, byte_lens = tokens.decode(ids)
    targets, candidates = _questions(samples)
    groups = [str(sample.group_index) for sample in samples]
    return parts.assessor.assess(texts, byte_lens, queries=groups, targets=targets, candidates=candidates, by=parts.by)


@lru_cache(maxsize=2)
def _tokens(checkpoint: str, vocab_size: int | None) -> TokenBytes:
    from transformers import AutoTokenizer

    return token_bytes(AutoTokenizer.from_pretrained(checkpoint), vocab_size)


def _questions(samples: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    return [sample.label for sample in samples], [(sample.metadata or {}).get("candidates") for sample in samples]


def _query(sample: Any) -> str:
    query = (sample.metadata or {}).get("query")
    if query is None:
        raise DataError("a sample must have metadata.query, the id of its query, for a curriculum")
    return str(query)


def advantages(args: Any, rollout_data: dict[str, Any]) -> None:
    """Sets `advantages` and `returns`, one tensor of shape [tokens] per response, from what `post_process` left in `rewards`.

    Raises:
        SettingError: Rewards of another source, or a response that is split over ranks (context parallelism).
    """
    rows = []
    for place, (reward, mask) in enumerate(zip(rollout_data["rewards"], rollout_data["loss_masks"], strict=True)):
        if not isinstance(reward, TokenReward):
            raise SettingError("set --custom-reward-post-process-path rerec.slime.post_process")
        if reward.tokens and len(reward.tokens) != len(mask):
            raise SettingError(
                f"rewards[{place}] has {len(reward.tokens)} tokens, its mask {len(mask)}: set --context-parallel-size 1"
            )
        row = torch.tensor(reward.tokens or [0.0] * len(mask), dtype=torch.float32, device=mask.device)
        rows.append(row * mask)
    rollout_data["advantages"] = rows
    rollout_data["returns"] = list(rows)


class DataSource(RolloutDataSourceWithBuffer):  # type: ignore[misc]
    """slime's data source in the order of a curriculum. Groups that were begun and not finished (`--partial-rollout`) come first.

    Raises:
        DataError: A sample without `metadata.query`, or with that of another sample.
        SettingError: `too_few = "stop"`, which slime's count of rollouts does not allow.
    """

    def __init__(self, args: Any) -> None:
        super().__init__(args)
        self._places = places_of(map(_query, self.dataset.samples), "metadata.query")
        self.curriculum = Parts.load().curriculum(self._places)
        self._waiting: list[str] = []
        _followed[:] = [self.curriculum]

    def get_samples(self, num_samples: int) -> list[list[Any]]:
        """Groups to be resumed, then the next queries, each with as many copies as responses are sampled."""
        resumed: list[list[Any]] = self._get_samples_from_buffer(num_samples)
        fresh = num_samples - len(resumed)
        while len(self._waiting) < fresh:
            self._serve()
        served, self._waiting = self._waiting[:fresh], self._waiting[fresh:]
        return resumed + [self._group(self.dataset.samples[self._places[query]]) for query in served]

    def _serve(self) -> None:
        batch = self.curriculum.next_batch()
        if batch is None:
            self.curriculum.end_epoch()
            self.epoch_id += 1
            batch = self.curriculum.next_batch()
        assert batch is not None  # Only with too_few = "stop" an epoch may be empty.
        self._waiting.extend(batch)

    def _group(self, sample: Any) -> list[Any]:
        group = [copy.deepcopy(sample) for _ in range(self.args.n_samples_per_prompt)]
        for one in group:
            one.group_index, one.index = self.sample_group_index, self.sample_index
            self.sample_index += 1
        self.sample_group_index += 1
        return group

    def save(self, rollout_id: Any) -> None:
        """Writes the curriculum beside slime's own state, with the queries that it has served and that were not sampled to the end."""
        super().save(rollout_id)
        path = self._path(self.args.save, rollout_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = [_query(group[0]) for group in self.buffer]
        state = {"curriculum": self.curriculum.state(), "waiting": begun + self._waiting}
        write_whole(path, json.dumps(state))

    def load(self, rollout_id: Any = None) -> None:
        """Goes on from what `save` wrote: queries that were served and not sampled to the end come first.

        Raises:
            SettingError: The file is damaged.
        """
        super().load(rollout_id)
        if self.args.load is None or not (path := self._path(self.args.load, rollout_id)).exists():
            return
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            self.curriculum.restore(state["curriculum"])
            self._waiting = state["waiting"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingError(f"cannot read {path}: {error}") from error

    @staticmethod
    def _path(folder: str, rollout_id: Any) -> Path:
        return Path(folder) / "rollout" / f"curriculum_{rollout_id}.json"
