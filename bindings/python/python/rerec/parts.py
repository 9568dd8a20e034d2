"""Reward, assessor and tokenizer from one file of settings, for trainers that name their plug-ins by paths."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rerec._rerec import Assessor, AttributeGraph, Catalogue, Curriculum, DualGraphReward, ItemEmbeddings
from rerec.errors import SettingError

__all__ = ["CONFIG_VARIABLE", "Parts"]

CONFIG_VARIABLE = "REREC_CONFIG"
KNOWN = {
    "catalogue",
    "graph",
    "embeddings",
    "similarity",
    "alignment",
    "reward",
    "assessor",
    "curriculum",
    "by",
    "vocab_size",
}


@dataclass(frozen=True)
class Parts:
    """What a trainer's process needs of the method.

    The file is JSON with the keys `catalogue` (a path, one item as a JSON object a line), and where they are wanted `graph` (a path, or
    `"catalogue"` for the attributes of its items), `embeddings` (a path), `alignment`, `similarity`, `reward`, `assessor`, `curriculum`
    (settings), `by` (what targets and candidates are named by: `"title"`, the default, or `"id"`), `vocab_size` (the ids that the model
    has, where they are more than its tokenizer's, as in Qwen2.5). Paths are relative to the folder of the file.
    """

    assessor: Assessor
    curriculum_settings: Mapping[str, Any]
    by: str
    vocab_size: int | None

    @property
    def reward(self) -> DualGraphReward:
        return self.assessor.reward

    def curriculum(self, queries: Iterable[str]) -> Curriculum:
        """A curriculum of these queries, whose metric has the assessor's range unless the settings say otherwise.

        Raises:
            SettingError: An unknown setting, or one that ends training by itself, which the trainers here do by counting steps.
            CurriculumError: A setting out of range; no query.
        """
        lowest, highest = self.assessor.metric_range
        metric = {"lowest": lowest, "highest": highest, "rescale": True}
        curriculum = Curriculum(queries, {"metric": metric, **self.curriculum_settings})
        if curriculum.settings["too_few"] == "stop":
            raise SettingError(
                'curriculum.too_few must be "review" or "all", got "stop": this trainer counts its steps and asks for queries until then'
            )
        return curriculum

    @staticmethod
    def load(path: str | os.PathLike[str] | None = None) -> "Parts":
        """Reads the file once for each process.

        Args:
            path: The file; without it the one that the variable `REREC_CONFIG` names.

        Raises:
            SettingError: No file is named, it is no JSON, or it has an unknown key.
            DataError: The catalogue cannot be read.
            RewardError: The graph or the embeddings cannot be read.
        """
        path = path or os.environ.get(CONFIG_VARIABLE)
        if not path:
            raise SettingError(f"name the file of settings, or set {CONFIG_VARIABLE} to it")
        return _load(str(Path(path).resolve()))


@lru_cache(maxsize=4)
def _load(path: str) -> Parts:
    try:
        settings = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingError(f"cannot read {path}: {error}") from error
    if unknown := set(settings) - KNOWN:
        raise SettingError(f"{path}: unknown key {min(unknown)!r}, expected one of {', '.join(sorted(KNOWN))}")
    if "catalogue" not in settings:
        raise SettingError(f"{path}: missing key 'catalogue'")
    # Other processes of the trainer may work in other folders than the one in which it was started.
    folder = Path(path).parent
    catalogue = Catalogue.read(folder / settings["catalogue"])
    graph, embeddings = _graph(settings, folder, catalogue), _embeddings(settings, folder, catalogue)
    reward = DualGraphReward(catalogue, graph, embeddings, settings.get("reward"))
    return Parts(
        assessor=Assessor(reward, settings.get("assessor")),
        curriculum_settings=settings.get("curriculum", {}),
        by=settings.get("by", "title"),
        vocab_size=settings.get("vocab_size"),
    )


def _graph(settings: Mapping[str, Any], folder: Path, catalogue: Catalogue) -> AttributeGraph | None:
    match settings.get("graph"):
        case None:
            return None
        case "catalogue":
            return AttributeGraph(catalogue, settings.get("alignment"))
        case path:
            return AttributeGraph.read(folder / path, catalogue, alignment=settings.get("alignment"))


def _embeddings(settings: Mapping[str, Any], folder: Path, catalogue: Catalogue) -> ItemEmbeddings | None:
    if (path := settings.get("embeddings")) is None:
        return None
    return ItemEmbeddings.read(folder / path, catalogue, settings.get("similarity"))
