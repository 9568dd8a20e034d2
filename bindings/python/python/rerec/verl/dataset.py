"""verl's data set in the order of a curriculum."""

from collections.abc import Iterable, Mapping
from typing import Any

from verl.utils.dataset.rl_dataset import RLHFDataset

from rerec import Curriculum, DataError, SettingError
from rerec.parts import Parts
from rerec.sampler import places_of

__all__ = ["CurriculumDataset"]


class CurriculumDataset(RLHFDataset):  # type: ignore[misc]
    """Records in the order of a curriculum, which `CurriculumReplayBuffer` tells the metrics of each step, or, with
    `trainer.use_v1=false`, verl's hook `on_batch_end`.

    verl counts its steps once: a pass has as many records as the data set, so that an epoch of the curriculum that is shorter is
    followed by the next within the pass, and what a pass does not reach is the first of the next. Set `data.shuffle=False` and
    `data.dataloader_num_workers=0`. verl keeps its state with that of its data loader, so that a run that is resumed goes on with it.

    verl makes its validation data of this class too: they are told of nothing, and come in their order.

    Raises:
        DataError: A record without `extra_info.query`, its query's id, or with that of another record.
        SettingError: `too_few = "stop"`, which verl's count of steps does not allow.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._places = places_of(map(_query, self.dataframe), "extra_info.query")
        self.curriculum = Parts.load().curriculum(self._places)
        self._served: list[str] = []
        self._asked = 0

    def __getitem__(self, item: int) -> dict[str, Any]:
        if item == 0:
            # A batch of the curriculum may reach into the next pass, and verl may leave out the last records of one.
            self._served, self._asked = self._served[self._asked :], 0
        self._asked = max(self._asked, item + 1)
        while len(self._served) <= item:
            self._serve()
        record: dict[str, Any] = super().__getitem__(self._places[self._served[item]])
        return record

    def _serve(self) -> None:
        batch = self.curriculum.next_batch()
        if batch is None:
            self.curriculum.end_epoch()
            batch = self.curriculum.next_batch()
        assert batch is not None  # Only with too_few = "stop" an epoch may be empty.
        self._served.extend(batch)

    def record(self, infos: Iterable[Mapping[str, Any]], metrics: Iterable[float]) -> None:
        """Records the metrics of responses, each with the `extra_info` of its record."""
        for info, metric in zip(infos, metrics, strict=True):
            self.curriculum.record(str(info["query"]), [float(metric)])

    def on_batch_end(self, batch: Any) -> None:
        """Records the metrics of a step: `extra_info` and `rerec_metric` of each of its responses."""
        self.record(batch.non_tensor_batch["extra_info"], batch.non_tensor_batch["rerec_metric"])

    def state_dict(self) -> dict[str, Any]:
        """The curriculum, and the queries of this pass."""
        return {"curriculum": self.curriculum.state(), "served": list(self._served), "asked": self._asked}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state, in the middle of its pass.

        Raises:
            SettingError: The state is damaged.
            DataError: It has a query that no record has.
        """
        try:
            curriculum, served, asked = state["curriculum"], state["served"], state["asked"]
        except KeyError as error:
            raise SettingError(f"the state of a data set must have {error}") from error
        if unknown := {*Curriculum.from_state(curriculum).queries, *served} - self._places.keys():
            raise DataError(f"extra_info.query must name every query of the state, got none with {min(unknown)!r}")
        self.curriculum.restore(curriculum)
        self._served, self._asked = list(served), asked


def _query(record: dict[str, Any]) -> str:
    query = (record.get("extra_info") or {}).get("query")
    if query is None:
        raise DataError("a record of verl must have extra_info.query, the id of its query, for a curriculum")
    return str(query)
