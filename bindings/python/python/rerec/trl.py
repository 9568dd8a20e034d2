"""ReRec in TRL: the reward by TRL's documented hook, and a trainer with step credit, token advantages and curriculum.

Token advantages and the sampler override parts of `GRPOTrainer` that are not public: each minor version of TRL is tested by itself,
and another one is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trl
from accelerate.utils import gather_object
from transformers import TrainerCallback
from trl import GRPOTrainer

from rerec import Assessment, Assessor, Curriculum, CurriculumSampler, DualGraphReward, SettingError, token_bytes

__all__ = ["CurriculumState", "ReRecTrainer", "reward_function"]

TESTED = "1.16."

Completion = str | Sequence[Mapping[str, Any]]


def reward_function(
    reward: DualGraphReward, *, targets: str = "targets", candidates: str = "candidates", by: str = "title"
) -> Callable[..., list[float | None]]:
    """A reward as `GRPOTrainer(reward_funcs=...)` takes it.

    A response whose query's data are at fault gets `None`, which TRL leaves out of its group. Shares of hits and flags are logged.

    Args:
        reward: What scores the responses.
        targets: The column of the right items.
        candidates: The column of the items to choose from; it may be missing.
        by: What the columns name items by: `"title"` or `"id"`.
    """

    def rerec_reward(*, completions: Sequence[Completion], **columns: Any) -> list[float | None]:
        scored = reward.score(
            [_text(completion) for completion in completions],
            columns[targets],
            columns.get(candidates),
            by=by,
            on_error="nan",
        )
        if log_metric := columns.get("log_metric"):
            log_metric("rerec/hit", float(scored.hits.mean()))
            for flag in sorted({flag for flags in scored.flags for flag in flags}):
                log_metric(f"rerec/{flag}", sum(flag in flags for flags in scored.flags) / len(scored))
        return [None if place in scored.errors else float(total) for place, total in enumerate(scored.totals)]

    return rerec_reward


def _text(completion: Completion) -> str:
    """A completion is a text or, of a conversation, its messages."""
    if isinstance(completion, str):
        return completion
    return "".join(str(message["content"]) for message in completion if message["role"] == "assistant")


class CurriculumState(TrainerCallback):  # type: ignore[misc]
    """Keeps the curriculum beside each checkpoint, as `curriculum.json`.

    To go on, load it by `Curriculum.load` and set `ignore_data_skip`: the curriculum knows what it has served.
    """

    def __init__(self, curriculum: Curriculum) -> None:
        self.curriculum = curriculum

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self.curriculum.save(Path(args.output_dir) / f"checkpoint-{state.global_step}" / "curriculum.json")


class ReRecTrainer(GRPOTrainer):  # type: ignore[misc]
    """GRPO's trainer with the advantages of an `Assessor`, one per token, and the order of a `Curriculum`.

    The data set has a column `query`, the ids of its queries, beside those of targets and candidates. Statistics are those of a
    query's responses on all processes. With a curriculum each pass over the data is one epoch of it; as epochs shrink, fewer steps
    are made than the schedule of the learning rate was planned for, so set `max_steps` or a constant schedule.

    Args:
        assessor: Reward, step credit and estimator.
        curriculum: Its ids are those of the column `query`; its batch size must be `generation_batch_size / num_generations`.
        targets: The column of the right items.
        candidates: The column of the items to choose from; it may be missing.
        by: What the columns name items by: `"title"` or `"id"`.
        arguments: Those of `GRPOTrainer`, without `reward_funcs`.

    Raises:
        SettingError: Another version of TRL, or a batch size that does not fit.
        TextError: A tokenizer that is not known.
    """

    def __init__(
        self,
        *,
        assessor: Assessor,
        curriculum: Curriculum | None = None,
        targets: str = "targets",
        candidates: str = "candidates",
        by: str = "title",
        **arguments: Any,
    ) -> None:
        if not trl.__version__.startswith(TESTED):
            raise SettingError(f"rerec.trl is tested with trl {TESTED}*, got {trl.__version__}")
        self.assessor = assessor
        self.curriculum = curriculum
        self._columns = {"targets": targets, "candidates": candidates}
        self._by = by
        rewards = reward_function(assessor.reward, targets=targets, candidates=candidates, by=by)
        super().__init__(reward_funcs=rewards, **arguments)
        self._token_bytes = token_bytes(self.processing_class)
        if curriculum is not None:
            self._check_batch_size(curriculum)
            self.add_callback(CurriculumState(curriculum))

    def _check_batch_size(self, curriculum: Curriculum) -> None:
        queries = self.args.generation_batch_size // self.num_generations
        if (got := curriculum.settings["batch_size"]) != queries:
            raise SettingError(
                f"the curriculum's batch_size must be {queries}, generation_batch_size / num_generations, got {got}"
            )

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        if self.curriculum is None:
            return super()._get_train_sampler(dataset)
        return CurriculumSampler(
            self.curriculum,
            (self.train_dataset if dataset is None else dataset)["query"],
            repeats=self.num_generations,
            block_repeats=self.num_iterations * self.args.steps_per_generation,
            whole_batches=True,
        )

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        mask = output["completion_mask"].bool()
        ids = [row[valid].tolist() for row, valid in zip(output["completion_ids"], mask, strict=True)]
        assessed = self._assess(inputs, ids)
        # As TRL does with rewards: processes hold equal parts, in their order.
        first = self.accelerator.process_index * len(inputs)
        output["advantages"] = _placed(assessed.advantages[first : first + len(inputs)], mask)
        self._follow(assessed)
        return output

    def _assess(self, inputs: list[dict[str, Any]], ids: list[list[int]]) -> Assessment:
        """Assesses the responses of all processes: a query's may lie on several."""
        names = {"query": "query", **self._columns}
        own = [{name: row.get(column) for name, column in names.items()} for row in inputs]
        rows, ids = gather_object(own), gather_object(ids)
        texts, byte_lens = self._token_bytes.decode(ids)
        return self.assessor.assess(
            texts,
            byte_lens,
            queries=[row["query"] for row in rows],
            targets=[row["targets"] for row in rows],
            candidates=[row["candidates"] for row in rows],
            by=self._by,
        )

    def _follow(self, assessed: Assessment) -> None:
        """Records metrics: every process has all of them, and so the same curriculum."""
        mode = "train" if self.model.training else "eval"
        self._metrics[mode]["rerec/teaches"].append(float(assessed.teaches.mean()))
        if (shares := assessed.penalised_shares[~np.isnan(assessed.penalised_shares)]).size:
            self._metrics[mode]["rerec/penalised_steps"].append(float(shares.mean()))
        if self.curriculum is not None and mode == "train":
            for query, metrics in assessed.metrics_by_query.items():
                self.curriculum.record(query, metrics)


def _placed(rows: Sequence[Any], mask: torch.Tensor) -> torch.Tensor:
    """Advantages at the tokens that count, float32 of shape [responses, tokens]; 0 elsewhere, and where there is no reward."""
    placed = torch.zeros(mask.shape, dtype=torch.float32)
    for target, row, valid in zip(placed, rows, mask.cpu(), strict=True):
        if len(row):
            target[valid] = torch.from_numpy(row).to(torch.float32)
    return placed.to(mask.device)
