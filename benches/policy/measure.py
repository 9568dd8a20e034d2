"""What the Python side of a measurement has in common: its words, its clocks, its line of JSON."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

THREADS = 2
# Of the call that warms up: long enough to touch every kernel, too short to matter.
WARM_UP_TOKENS = 8

# The libraries print progress of their own; standard output is for the measurement alone.
MEASUREMENTS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def read_words():
    """The same words as those of the Rust binary."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", required=True)
    parser.add_argument("--round", type=int, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], required=True)
    parser.add_argument("--groups", type=int, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--new-tokens", type=int, required=True)
    parser.add_argument("--lora", action="store_true")
    words = parser.parse_args()
    words.prompts = json.loads(words.prompts.read_text())
    return words


class Stopwatch:
    def __init__(self):
        self.begun = time.perf_counter()
        self.begun_cpu = time.process_time()

    def read(self):
        return {
            "seconds": time.perf_counter() - self.begun,
            "cpu_seconds": time.process_time() - self.begun_cpu,
        }


def peak_bytes():
    """The largest resident set of this process so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    sys.exit("/proc/self/status has no VmHWM")


def report(words, implementation, tokens, times):
    line = {
        "case": words.case,
        "round": words.round,
        "side": "theirs",
        "implementation": implementation,
        "tokens": tokens,
        "peak_bytes": peak_bytes(),
        **times,
    }
    print(json.dumps(line), file=MEASUREMENTS, flush=True)
