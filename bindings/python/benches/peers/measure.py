"""Two sides in turn, one clock."""

import os
import platform
import statistics
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

PEERS = ["networkx", "pytrec_eval-terrier", "ranx", "recbole", "torch", "trl", "verl", "numpy"]


class Measure:
    """Measures two sides in turn and says a row of the table."""

    def __init__(self, rounds: int, clock: Callable[[], float]) -> None:
        self.rounds, self.clock = rounds, clock
        self.lines: list[str] = []
        self.say("| what | beside | ours, ms: least / median | theirs, ms: least / median | times as fast |")
        self.say("|---|---|---:|---:|---:|")

    def say(self, line: str) -> None:
        print(line, flush=True)
        self.lines.append(line)

    def __call__(self, what: str, beside: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
        for side in (ours, theirs):
            side()
        sides: tuple[list[float], list[float]] = ([], [])
        for _ in range(self.rounds):
            for times, side in zip(sides, (ours, theirs), strict=True):
                began = self.clock()
                side()
                times.append(1000 * (self.clock() - began))
        our, their = ((min(times), statistics.median(times)) for times in sides)
        cells = (f"{least:.2f} / {median:.2f}" for least, median in (our, their))
        self.say(f"| {what} | {beside} | {' | '.join(cells)} | {their[1] / our[1]:.1f} |")


def surroundings() -> str:
    """Processor and versions."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    processor = names[0].split(":", 1)[1].strip() if names else platform.machine()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PEERS)
    return f"{os.cpu_count()} cores of {processor}; Python {platform.python_version()}, {versions}"
