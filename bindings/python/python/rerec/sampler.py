"""The curriculum as what data loaders take for a sampler."""

from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from typing import Any

from rerec._rerec import Curriculum

__all__ = ["CurriculumSampler"]


class CurriculumSampler:
    """Places of a data set in the order of a curriculum: one pass is one epoch of it.

    It is a sampler as `torch.utils.data.DataLoader` takes them, without torch. Between two passes whoever trains records metrics;
    at the beginning of the next pass the epoch ends, and mastered queries are left out. A pass that was cut short goes on where it
    stood.

    Args:
        curriculum: The curriculum, whose ids are those of the data set.
        ids: The query at each place of the data set; each id once.
        repeats: How often each place comes in a row: the responses to sample per query.
        block_repeats: How often each batch of the curriculum comes in a row, with all repeats: the optimiser's passes over it.
        whole_batches: Whether a last, smaller batch is filled with its own queries again, in turn, for trainers that need each batch
            whole. None is left out: the last of an epoch are its hardest.

    Raises:
        ValueError: An id twice, an id that is missing, or repeats below 1.

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
        self._places = _places(curriculum, ids)
        self._begun = False

    def __iter__(self) -> Iterator[int]:
        if self._begun and not self.curriculum.upcoming:
            self.curriculum.end_epoch()
        self._begun = True
        while (batch := self.curriculum.next_batch()) is not None:
            places = [self._places[query] for query in self._filled(batch) for _ in range(self.repeats)]
            for _ in range(self.block_repeats):
                yield from places

    def __len__(self) -> int:
        """Places that a whole pass gives: those of this epoch, as many as there are now."""
        queries = len(self.curriculum.upcoming) or len(self.curriculum)
        if self.whole_batches:
            queries += -queries % self._batch_size
        return queries * self.repeats * self.block_repeats

    @property
    def _batch_size(self) -> int:
        return int(self.curriculum.settings["batch_size"])

    def _filled(self, batch: list[str]) -> Iterable[str]:
        return islice(cycle(batch), self._batch_size) if self.whole_batches else batch

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"curriculum": self.curriculum.state(), "begun": self._begun}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state; the curriculum becomes another object.

        Raises:
            SettingError: The state is damaged.
        """
        self.curriculum = Curriculum.from_state(state["curriculum"])
        self._begun = bool(state["begun"])


def _at_least_one(what: str, count: int) -> int:
    if count < 1:
        raise ValueError(f"{what} must be at least 1, got {count}")
    return count


def _places(curriculum: Curriculum, ids: Iterable[str | int]) -> dict[str, int]:
    places: dict[str, int] = {}
    for place, query in enumerate(map(str, ids)):
        if (first := places.setdefault(query, place)) != place:
            raise ValueError(f"ids[{place}] is {query!r}, which ids[{first}] already is")
    if missing := next((query for query in curriculum.queries if query not in places), None):
        raise ValueError(f"ids must hold every query of the curriculum, got none for {missing!r}")
    return places
