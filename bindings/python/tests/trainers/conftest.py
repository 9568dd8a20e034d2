"""What the tests of the adapters share: a tiny tokenizer, films, and the file of settings."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import train_with_trl as toy


@pytest.fixture(scope="session")
def words() -> Any:
    return toy.tokenizer()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of settings over the toy's films, which `REREC_CONFIG` names."""
    items = tmp_path / "catalogue.jsonl"
    items.write_text("".join(json.dumps(item) + "\n" for item in toy.catalogue().items))
    path = tmp_path / "rerec.json"
    path.write_text(json.dumps({"catalogue": str(items), "graph": "catalogue", "curriculum": {"batch_size": 2}}))
    monkeypatch.setenv("REREC_CONFIG", str(path))
    return path
