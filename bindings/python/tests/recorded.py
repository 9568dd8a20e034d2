"""What is recorded in files: a run, and the values of other systems."""

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
CRATES = Path(__file__).parents[3] / "crates"


def lines(name: str) -> list[Any]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def golden(path: str) -> Any:
    """Values of other systems, which the crates' own tests read too; each file says where they come from."""
    return json.loads((CRATES / path).read_text())
