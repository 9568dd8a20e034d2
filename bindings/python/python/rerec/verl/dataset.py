"""verl's data set in the order of a curriculum."""

from typing import Any

from verl.utils.dataset.rl_dataset import RLHFDataset

from rerec import Curriculum, DataError
from rerec.parts import Parts

__all__ = ["CurriculumDataset"]


class CurriculumDataset(RLHFDataset):  # type: ignore[misc]
    """Records in the order of a curriculum, which is told of rewards by verl's hook `on_batch_end`.

    verl counts its steps once: a pass has as many records as the data set, so that an epoch of the curriculum that is shorter is
    followed by the next within the pass. Set `data.shuffle=False` and `data.dataloader_num_workers=0`. The hook is called by the trainer
    with `trainer.use_v1=false` alone.

    Raises:
        DataError: A record without `extra_info.query`, its query's id.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._places = {_query(record): place for place, record in enumerate(self.dataframe)}
        parts = Parts.load()
        lowest, highest = parts.assessor.metric_range
        metric = {"lowest": lowest, "highest": highest, "rescale": True}
        self.curriculum = Curriculum(list(self._places), {"metric": metric, **parts.curriculum_settings})
        self._served: list[int] = []

    def __getitem__(self, item: int) -> dict[str, Any]:
        if item == 0:
            self._served = []
        while len(self._served) <= item:
            self._serve()
        record: dict[str, Any] = super().__getitem__(self._served[item])
        return record

    def _serve(self) -> None:
        batch = self.curriculum.next_batch()
        if batch is None:
            self.curriculum.end_epoch()
            batch = self.curriculum.next_batch() or self.curriculum.queries
        self._served.extend(self._places[query] for query in batch)

    def on_batch_end(self, batch: Any) -> None:
        """Records the rewards of a step: `extra_info` and `rerec_reward` of each of its responses."""
        infos, rewards = batch.non_tensor_batch["extra_info"], batch.non_tensor_batch["rerec_reward"]
        for info, reward in zip(infos, rewards, strict=True):
            self.curriculum.record(str(info["query"]), [float(reward)])


def _query(record: dict[str, Any]) -> str:
    query = (record.get("extra_info") or {}).get("query")
    if query is None:
        raise DataError("a record of verl must have extra_info.query, the id of its query, for a curriculum")
    return str(query)
