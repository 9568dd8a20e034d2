"""The curriculum as what data loaders take for a sampler."""

from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from typing import Any

from rerec._rerec import Curriculum
from rerec.errors import DataError

__all__ = ["CurriculumSampler", "places_of"]


class CurriculumSampler:
    """Places of a data set in the order of a curriculum: one pass is one epoch of it.

    It is a sampler as `torch.utils.data.DataLoader` takes them, without torch. Between two passes whoever trains records metrics;
    a pass that finds nothing left of an epoch ends it and begins the next, without mastered queries. A pass that was cut short goes
    on where it stood.

    Args:
        curriculum: The curriculum, whose ids are those of the data set.
        ids: The query at each place of the data set; each id once.
        repeats: How often each place comes in a row: the responses to sample per query.
        block_repeats: How often each batch of the curriculum comes in a row, with all repeats: the optimiser's passes over it.
        whole_batches: Whether a last, smaller batch is filled with its own queries again, in turn, for trainers that need each batch
            whole. None is left out: the last of an epoch are its hardest.

    Raises:
        DataError: An id twice, or an id that is missing.
        ValueError: Repeats below 1.

    Example:
        >>> from rerec import Curriculum
        >>> sampler = CurriculumSampler(Curriculum(["a", "b"], {"batch_size": 1}), ["b", "a"], repeats=2)
        >>> list(sampler)
        [1, 1, 0, 0]
    """

    def __init__(
        self,
        curriculum: Curriculum,
        ids: Iterable[str | int],
        *,
        repeats: int = 1,
        block_repeats: int = 1,
        whole_batches: bool = False,
    ) -> None:
        self.curriculum = curriculum
        self.repeats = _at_least_one("repeats", repeats)
        self.block_repeats = _at_least_one("block_repeats", block_repeats)
        self.whole_batches = whole_batches
        self._places = places_of(ids, "ids")
        self._check(curriculum)

    def __iter__(self) -> Iterator[int]:
        for batch in self._batches():
            places = [self._places[query] for query in self._filled(batch) for _ in range(self.repeats)]
            for _ in range(self.block_repeats):
                yield from places

    def _batches(self) -> Iterator[list[str]]:
        """What is left of this epoch or, where that makes no batch, the next one."""
        batch = self.curriculum.next_batch()
        if batch is None:
            self.curriculum.end_epoch()
            batch = self.curriculum.next_batch()
        while batch is not None:
            yield batch
            batch = self.curriculum.next_batch()

    def __len__(self) -> int:
        """Places that a whole pass gives: those of this epoch, as many as there are now."""
        queries, size = self._queries(), self._batch_size
        if queries > size and self._carries:
            queries -= queries % size
        if self.whole_batches:
            queries += -queries % size
        return queries * self.repeats * self.block_repeats

    def _queries(self) -> int:
        upcoming = len(self.curriculum.upcoming)
        # What makes no batch is carried into the next epoch, whose queries are not known yet.
        if upcoming == 0 or (self._carries and upcoming < self._batch_size):
            return len(self.curriculum)
        return upcoming

    @property
    def _carries(self) -> bool:
        return bool(self.curriculum.settings["partial_batch"] == "carry")

    @property
    def _batch_size(self) -> int:
        return int(self.curriculum.settings["batch_size"])

    def _filled(self, batch: list[str]) -> Iterable[str]:
        return islice(cycle(batch), self._batch_size) if self.whole_batches else batch

    def _check(self, curriculum: Curriculum) -> None:
        if missing := next((query for query in curriculum.queries if query not in self._places), None):
            raise DataError(f"ids must hold every query of the curriculum, got none for {missing!r}")

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"curriculum": self.curriculum.state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state, and with the sampler whoever else holds its curriculum.

        Raises:
            SettingError: The state is damaged.
            DataError: It has a query that is not among the ids.
        """
        self._check(Curriculum.from_state(state["curriculum"]))
        self.curriculum.restore(state["curriculum"])


def places_of(queries: Iterable[str | int], what: str) -> dict[str, int]:
    """The place of each query, by its id.

    Args:
        queries: The query at each place.
        what: What errors call them.

    Raises:
        DataError: An id comes twice: one place would be lost.
    """
    places: dict[str, int] = {}
    for place, query in enumerate(map(str, queries)):
        if (first := places.setdefault(query, place)) != place:
            raise DataError(f"{what}[{place}] is {query!r}, which {what}[{first}] already is")
    return places


def _at_least_one(what: str, count: int) -> int:
    if count < 1:
        raise ValueError(f"{what} must be at least 1, got {count}")
    return count
