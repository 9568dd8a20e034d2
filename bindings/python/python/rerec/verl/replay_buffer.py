"""What tells the curriculum of a run of verl the metrics of each step."""

from typing import Any

import transfer_queue
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from rerec import SettingError
from rerec.verl.dataset import CurriculumDataset

__all__ = ["CurriculumReplayBuffer"]


class CurriculumReplayBuffer(ReplayBuffer):  # type: ignore[misc]
    """verl's replay buffer, which tells the trainer's `CurriculumDataset` the metrics of each batch that it hands out to train on.

    Responses stand in it with the record they were made for and with what the reward manager said of them, and it lives in the
    process of the data set. verl takes it by `trainer.v1.sampler.custom_sampler`.

    Raises:
        SettingError: Another trainer than the synchronous one, which asks for prompts before it knows the metrics of those before;
            a setting that verl does not hand on to samplers that are not its own.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # verl hands over a method of its trainer: what knows the data set, once that is made.
        self._trainer = self.refill_fn.__self__
        if self.trainer_mode != "sync":
            raise SettingError(
                f'trainer.v1.trainer_mode must be "sync" with CurriculumReplayBuffer, got "{self.trainer_mode}"'
            )
        config = self._trainer.config
        for name, settings, key in [
            ("algorithm.filter_groups.enable", config.algorithm.get("filter_groups"), "enable"),
            ("trainer.v1.sampler.sync_refill_failed_groups", config.trainer.v1.sampler, "sync_refill_failed_groups"),
        ]:
            if settings is not None and settings.get(key):
                raise SettingError(
                    f"{name} must be False with CurriculumReplayBuffer: verl does not hand it on to custom samplers"
                )

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, Any]]:
        """As in verl; the metrics of what is trained on are recorded.

        Raises:
            SettingError: The training data are no `CurriculumDataset`, or the responses were scored by another reward manager.
        """
        batch, metrics = super().sample(global_steps, partition_id, batch_size)
        if partition_id == "train":
            self._tell(batch)
        return batch, metrics

    def _tell(self, batch: Any) -> None:
        if not isinstance(dataset := self._trainer.train_dataset, CurriculumDataset):
            raise SettingError(
                f"data.custom_cls.name must be CurriculumDataset with CurriculumReplayBuffer, got {type(dataset).__name__}"
            )
        data = transfer_queue.kv_batch_get(
            keys=batch.keys, partition_id=batch.partition_id, select_fields=["extra_info", "extra_fields"]
        )
        said = [fields.get("reward_extra_info") or {} for fields in data["extra_fields"]]
        if not all("rerec_metric" in one for one in said):
            raise SettingError("reward.reward_manager.name must be rerec with CurriculumReplayBuffer")
        dataset.record(data["extra_info"], [one["rerec_metric"] for one in said])
