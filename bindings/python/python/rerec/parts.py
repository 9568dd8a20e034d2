"""Reward, assessor and tokenizer from one file of settings, for trainers that name their plug-ins by paths."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rerec._rerec import Assessor, AttributeGraph, Catalogue, Credit, DualGraphReward, ItemEmbeddings
from rerec.errors import SettingError

__all__ = ["CONFIG_VARIABLE", "Parts"]

CONFIG_VARIABLE = "REREC_CONFIG"
KNOWN = {"catalogue", "graph", "embeddings", "similarity", "alignment", "reward", "assessor", "curriculum", "by"}


@dataclass(frozen=True)
class Parts:
    """What a trainer's process needs of the method.

    The file is JSON with the keys `catalogue` (a path, one item as a JSON object a line), and where they are wanted `graph` (a path, or
    `"catalogue"` for the attributes of its items), `embeddings` (a path), `alignment`, `similarity`, `reward`, `assessor`, `curriculum`
    (settings), `by` (what targets and candidates are named by: `"title"`, the default, or `"id"`).
    """

    assessor: Assessor
    credit: Credit
    curriculum_settings: Mapping[str, Any]
    by: str

    @property
    def reward(self) -> DualGraphReward:
        return self.assessor.reward

    @staticmethod
    def load(path: str | os.PathLike[str] | None = None) -> "Parts":
        """Reads the file once for each process.

        Args:
            path: The file; without it the one that the variable `REREC_CONFIG` names.

        Raises:
            SettingError: No file is named, it is no JSON, or it has an unknown key.
            RewardError: A file that it names cannot be read.
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
    catalogue = Catalogue.read(settings["catalogue"])
    reward = DualGraphReward(
        catalogue, _graph(settings, catalogue), _embeddings(settings, catalogue), settings.get("reward")
    )
    assessor = settings.get("assessor", {})
    return Parts(
        assessor=Assessor(reward, assessor),
        credit=Credit(catalogue, assessor.get("credit"), answer=settings.get("reward", {}).get("answer", "last")),
        curriculum_settings=settings.get("curriculum", {}),
        by=settings.get("by", "title"),
    )


def _graph(settings: Mapping[str, Any], catalogue: Catalogue) -> AttributeGraph | None:
    match settings.get("graph"):
        case None:
            return None
        case "catalogue":
            return AttributeGraph(catalogue, settings.get("alignment"))
        case path:
            return AttributeGraph.read(path, catalogue, alignment=settings.get("alignment"))


def _embeddings(settings: Mapping[str, Any], catalogue: Catalogue) -> ItemEmbeddings | None:
    if (path := settings.get("embeddings")) is None:
        return None
    return ItemEmbeddings.read(path, catalogue, settings.get("similarity"))
