"""ReRec in TRL: the reward by TRL's documented hook, and a trainer with step credit, token advantages and curriculum.

Token advantages and the sampler override parts of `GRPOTrainer` that are not public: each minor version of TRL is tested by itself,
and another one is refused.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trl
from accelerate.utils import gather_object
from transformers import TrainerCallback
from transformers.trainer_utils import get_last_checkpoint
from trl import GRPOTrainer

from rerec import Assessment, Assessor, Curriculum, CurriculumSampler, DualGraphReward, SettingError, token_bytes
from rerec.whole_file import write_whole

__all__ = ["CurriculumState", "PendingSampler", "ReRecTrainer", "reward_function"]

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


class PendingSampler(CurriculumSampler):
    """A sampler that remembers batches until they were tried: loaders read ahead, and lose what they hold when training stops.

    A pass begins with what was left pending.

    Args:
        pending: The batches that were handed out and not tried; it is changed in place.
    """

    def __init__(self, curriculum: Curriculum, ids: Sequence[Any], pending: list[list[str]], **settings: Any) -> None:
        super().__init__(curriculum, ids, **settings)
        self._pending = pending

    def _batches(self) -> Iterator[list[str]]:
        left = list(self._pending)
        # An epoch does not end before all of it was tried.
        batches = iter(self.curriculum.next_batch, None) if left else super()._batches()
        yield from left
        for batch in batches:
            self._pending.append(batch)
            yield batch

    def _queries(self) -> int:
        left = sum(map(len, self._pending))
        return left + len(self.curriculum.upcoming) if left else super()._queries()


class CurriculumState(TrainerCallback):  # type: ignore[misc]
    """Keeps the curriculum beside each checkpoint, as `curriculum.json`, and as `curriculum_pending.json` the batches that it has
    served and that were not tried yet. `ReRecTrainer.train(resume_from_checkpoint=...)` goes on from both.
    """

    def __init__(self, curriculum: Curriculum, pending: list[list[str]]) -> None:
        self.curriculum = curriculum
        self.pending = pending

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            self.curriculum.save(checkpoint / "curriculum.json")
            write_whole(checkpoint / "curriculum_pending.json", json.dumps(self.pending))

    def load(self, checkpoint: Path) -> None:
        """Goes back to what was saved.

        Raises:
            CurriculumError: There is no curriculum, or it is damaged.
            SettingError: The batches are missing or damaged.
        """
        self.curriculum.restore(Curriculum.load(checkpoint / "curriculum.json").state())
        path = checkpoint / "curriculum_pending.json"
        try:
            self.pending[:] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingError(f"cannot read {path}: {error}") from error


class ReRecTrainer(GRPOTrainer):  # type: ignore[misc]
    """GRPO's trainer with the advantages of an `Assessor`, one per token, and the order of a `Curriculum`.

    The data set has a column `query`, the ids of its queries, beside those of targets and candidates. Statistics are those of a
    query's responses on all processes. With a curriculum each pass over the data is one epoch of it; as epochs shrink, fewer steps
    are made than the schedule of the learning rate was planned for, so set `max_steps` or a constant schedule. Resumed, training goes
    on with the curriculum of the checkpoint: `curriculum` is set back to it.

    Args:
        assessor: Reward, step credit and estimator.
        curriculum: Its ids are those of the column `query`; its batch size must be `generation_batch_size / num_generations`, and its
            metric span the assessor's `metric_range`.
        targets: The column of the right items.
        candidates: The column of the items to choose from; it may be missing.
        by: What the columns name items by: `"title"` or `"id"`.
        arguments: Those of `GRPOTrainer`, without `reward_funcs`.

    Raises:
        SettingError: Another version of TRL; a curriculum that does not fit; tools, or a setting of TRL that takes the sign of one
            advantage per response.
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
        self._check_settings()
        self._token_bytes = token_bytes(self.processing_class, _vocab_size(self.model))
        self._sampled: list[list[int]] = []
        self._pending: list[list[str]] = []
        if curriculum is not None:
            self._check_curriculum(curriculum)
            self._curriculum_state = CurriculumState(curriculum, self._pending)
            self.add_callback(self._curriculum_state)

    def _check_settings(self) -> None:
        if self.args.off_policy_mask_threshold is not None:
            raise SettingError(
                f"off_policy_mask_threshold must be None, got {self.args.off_policy_mask_threshold}: "
                "it asks for the sign of one advantage per response, and here each token has its own"
            )
        if self.args.loss_type == "vespo":
            raise SettingError(
                'loss_type must be another than "vespo", which weighs a response by the sign of its one advantage'
            )
        if self.tools:
            raise SettingError(
                f"tools must be none, got {len(self.tools)}: what they answer is not the model's to credit"
            )

    def _check_curriculum(self, curriculum: Curriculum) -> None:
        settings = curriculum.settings
        queries = self.args.generation_batch_size // self.num_generations
        if (got := settings["batch_size"]) != queries:
            raise SettingError(
                f"the curriculum's batch_size must be {queries}, generation_batch_size / num_generations, got {got}"
            )
        (lowest, highest), metric = self.assessor.metric_range, settings["metric"]
        if metric["lowest"] > lowest or metric["highest"] < highest:
            raise SettingError(
                f"the curriculum's metric must span [{lowest}, {highest}], the assessor's metric_range, "
                f"got [{metric['lowest']}, {metric['highest']}]"
            )

    def train(self, resume_from_checkpoint: str | bool | None = None, *arguments: Any, **named: Any) -> Any:
        """As in TRL; what is resumed goes on with the curriculum of the checkpoint."""
        checkpoint = resume_from_checkpoint
        if checkpoint is True:
            checkpoint = get_last_checkpoint(self.args.output_dir)
        if self.curriculum is not None and checkpoint:
            self._curriculum_state.load(Path(checkpoint))
            self._check_curriculum(self.curriculum)
            # The curriculum knows what it has served: batches that are skipped would be lost.
            self.args.ignore_data_skip = True
        return super().train(resume_from_checkpoint, *arguments, **named)

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        if self.curriculum is None:
            return super()._get_train_sampler(dataset)
        return PendingSampler(
            self.curriculum,
            (self.train_dataset if dataset is None else dataset)["query"],
            self._pending,
            repeats=self.num_generations,
            block_repeats=self.num_iterations * self.args.steps_per_generation,
            whole_batches=True,
        )

    def _generate(self, prompts: list[Any]) -> Any:
        generated = super()._generate(prompts)
        # Kept as they were sampled: of a truncated response TRL may mask every token.
        self._sampled = [list(ids) for ids in generated[1]]
        return generated

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        assessed = self._assess(inputs, self._sampled)
        # As TRL does with rewards: processes hold equal parts, in their order.
        first = self.accelerator.process_index * len(inputs)
        own = assessed.advantages[first : first + len(inputs)]
        output["advantages"] = _placed(own, output["completion_mask"])
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
            # The first batch that was handed out is the first that is tried; its queries may be all without a metric.
            del self._pending[:1]


def _vocab_size(model: Any) -> int | None:
    """The ids that a model has, which may be more than its tokenizer's; a model of images keeps the number with that of its texts."""
    size: int | None = getattr(model.config.get_text_config(), "vocab_size", None)
    return size


def _placed(rows: Sequence[Any], mask: torch.Tensor) -> torch.Tensor:
    """Advantages at the tokens that count, float32 of shape [responses, tokens]; 0 elsewhere, and where there is no reward."""
    placed = torch.zeros(mask.shape, dtype=torch.float32)
    for target, row in zip(placed, rows, strict=True):
        target[: len(row)] = torch.from_numpy(row).to(torch.float32)
    return placed.to(mask.device) * mask
