"""The package beside the same work in other libraries of Python.

    python benches/peers [--only PART] [--rounds N] [--threads N] [--cpu] [--output FILE]

Both sides take turns in one process, after each has run once, and have to agree where they compute the same. A row has minimum and median of
each and the ratio of the medians: how many times as fast the package is. On a machine with other work `--cpu` counts what the processor spent
on this process, all threads together, instead of the time that passed. `cargo xtask bench-peers` runs all of it with pinned versions.
"""

import argparse
import importlib
import os
import time
from pathlib import Path

PARTS = ["reward", "advantages", "ranking", "graph", "lightgcn"]
THREADS = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="may be given again; everything otherwise")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="of either side")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    given = parser.parse_args()
    # Read when the libraries are imported.
    os.environ.update(dict.fromkeys(THREADS, str(given.threads)))
    from measure import Measure, surroundings

    measure = Measure(given.rounds, time.process_time if given.cpu else time.perf_counter)
    for name in given.only or PARTS:
        importlib.import_module(name).run(measure)
    clock = "processor time" if given.cpu else "time that passed"
    measure.say(f"\n{given.rounds} rounds, {given.threads} thread(s) a side, {clock}; {surroundings()}.")
    if given.output:
        given.output.write_text("\n".join(measure.lines) + "\n")


if __name__ == "__main__":
    main()
