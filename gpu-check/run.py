"""Runs every part of the GPU check and writes gpu-check.json and gpu-check.md.

    python3 run.py [--output FOLDER]

Needs nothing but Python and, for what it checks, PyTorch 2.11.0 with CUDA 13 and a GPU; transformers and PEFT for the same by them. Nothing is fetched. Each part is a process of its own with a limit of its own: one that crashes, hangs or cannot run
costs the others nothing, and the report says why. Both files are written anew after every part.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TORCH = "2.11.0"
# All parts together. Limits of parts are given for it, and shrink with it.
SECONDS = 470
KERNELS = ["rms_norm", "rotate", "swiglu", "select", "logits_gradient", "draw", "decode_attention"]
MODELS = ["smollm2-135m", "qwen2.5-3b"]
# Characters of what a part that failed has printed.
LOG = 4000


class Part:
    def __init__(self, name, command, seconds, is_ours=True):
        self.name, self.command, self.seconds, self.is_ours = name, command, seconds, is_ours


def parts(words):
    """In the order of what matters most, as the time may run out."""
    place = ["--device", words.device] + (["--tiny"] if words.tiny else [])
    models = ["tiny"] if words.tiny else MODELS
    all = [Part(f"parity {kernel}", [words.binary, "parity", kernel, *place], 40) for kernel in KERNELS]
    all.append(Part("parity model", [words.binary, "model-parity", *place], 40))
    all.append(Part("bandwidth", [words.binary, "bandwidth", *place], 60))
    theirs = [sys.executable, HERE / "theirs.py"]
    for part, ours, other in [("step", [words.binary], theirs), ("generate", [words.binary], theirs)]:
        for model, seconds in zip(models, [45, 150]):
            rest = [part, "--model", HERE / "shapes" / model, *place]
            all.append(Part(f"{part} {model}", ours + rest, seconds))
            all.append(Part(f"{part} {model} by transformers", other + rest, seconds, is_ours=False))
    return all


def reason(log):
    """The line of a log that says why."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for number, line in reversed(list(enumerate(lines))):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
        if " panicked at " in line:
            return " ".join(lines[number : number + 2])
    return lines[-1] if lines else "it said nothing"


def numbers(output):
    """The whole lines of JSON in an output; a part that was killed may leave half a line."""
    lines = []
    for line in output.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            pass
    return lines


def run(part, limit, environment):
    """What became of a part."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(
                part.command, stdout=output, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )
        except OSError as error:
            return {"outcome": "failed", "reason": str(error), "seconds": 0.0, "lines": []}
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        texts = []
        for file in [output, log]:
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    result = {"outcome": "done", "seconds": round(time.monotonic() - begun, 2), "lines": numbers(texts[0])}
    if status == 0:
        return result
    result["outcome"] = "failed"
    result["reason"] = reason(texts[1])
    if status is None:
        result["outcome"] = "too slow"
        result["reason"] = f"stopped after {limit:.0f} s"
    elif status < 0:
        result["reason"] = f"killed by {signal.Signals(-status).name}; its last words: {result['reason']}"
    result["log"] = texts[1] if len(texts[1]) <= LOG else texts[1][: LOG // 2] + "\n...\n" + texts[1][-LOG // 2 :]
    return result


def surroundings(machine, cache):
    """The environment of the parts: where libtorch and NVRTC are, and where compiled kernels are kept meanwhile."""
    environment = {**os.environ, "XDG_CACHE_HOME": cache, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if "torch_folder" in machine:
        torch = Path(machine["torch_folder"])
        paths = [str(torch / "lib"), os.environ.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = ":".join(path for path in paths if path)
        # Where PyTorch came without NVRTC, that of an installed toolkit serves.
        toolkit = Path("/usr/local/cuda/targets/x86_64-linux")
        beside = torch.parent / "nvidia/cu13/lib/libnvrtc.so.13"
        if not beside.exists() and toolkit.exists():
            environment.setdefault("REREC_NVRTC", str(toolkit))
    return environment


def unfit(machine):
    """Why our parts cannot run with the PyTorch of this machine."""
    found = machine.get("torch")
    if found is None or found.split("+")[0] == TORCH:
        return None
    return f"this is PyTorch {found}, they are built for {TORCH}"


def check(words):
    """Runs all parts and writes the report after each."""
    deadline = time.monotonic() + words.seconds
    scale = words.seconds / SECONDS
    report = {"machine": {}, "parts": {}}
    with tempfile.TemporaryDirectory() as cache:
        machine = Part("machine", [sys.executable, HERE / "theirs.py", "machine"], 60)
        result = run(machine, machine.seconds * scale, dict(os.environ))
        report["parts"]["machine"] = result
        report["machine"] = result["lines"][0] if result["lines"] else {}
        environment, misfit = surroundings(report["machine"], cache), unfit(report["machine"])
        for part in parts(words):
            left = deadline - time.monotonic()
            if part.is_ours and misfit:
                result = {"outcome": "not run", "reason": misfit, "seconds": 0.0, "lines": []}
            elif left < 1:
                used_up = f"the {words.seconds:g} s of all parts were used up"
                result = {"outcome": "not run", "reason": used_up, "seconds": 0.0, "lines": []}
            else:
                result = run(part, min(part.seconds * scale, left), environment)
            report["parts"][part.name] = result
            print(f"{part.name}: {result['outcome']} after {result['seconds']} s", file=sys.stderr, flush=True)
            write(report, words.output)
    return report


def write(report, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu-check.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "gpu-check.md").write_text(page(report))


def table(head, rows):
    """A Markdown table, its first column to the left; nothing where there are no rows."""
    if not rows:
        return "Nothing was measured.\n"
    rule = ["---"] + ["---:"] * (len(head) - 1)
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in [head, rule, *rows]]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def lines(report, start):
    """The lines of the parts whose names begin so."""
    named = [result["lines"] for name, result in report["parts"].items() if name.startswith(start)]
    return [line for part in named for line in part]


def number(value, form=".3g", factor=1.0):
    return "no number" if value is None else format(value * factor, form)


def gigabytes(line):
    return "" if line.get("bytes") is None else f"{line['bytes'] / 1e9:.2f}"


def parity_row(line):
    worst = line["worst"] or {}
    verdict = "all hold" if not line["beyond"] else f"{len(line['beyond'])} beyond"
    gap, allowed = number(worst.get("gap"), ".2g"), number(worst.get("allowed"), ".2g")
    return [line["compared"], line["comparisons"], verdict, gap, allowed, worst.get("case", "")]


def bandwidth_row(line):
    return [
        line["kernel"],
        f"{line['bytes'] / 1e6:.1f}",
        number(line["seconds"], ".1f", 1e6),
        number(line["bytes_per_second"], ".0f", 1e-9),
        number(line["share_of_copy"], ".0f", 100.0) + " %",
    ]


STEP = ["sampling", "log_probs", "forward", "backward", "optimizer"]


def step_rows(report):
    """The faster step of each side."""
    fastest = {}
    for line in lines(report, "step "):
        whole = line["sampling_seconds"] + line["update_seconds"]
        key = (line["model"], line["by"])
        if key not in fastest or whole < fastest[key][0]:
            fastest[key] = (whole, line)
    rows = []
    for (model, by), (whole, line) in fastest.items():
        seconds = [number(line[f"{part}_seconds"]) for part in STEP]
        rows.append([f"{model}, {by}", *seconds, number(whole), gigabytes(line)])
    return rows


def generation_row(line):
    return [f"{line['model']}, {line['by']}", line["rows"], f"{line['tokens'] / line['seconds']:.0f}", gigabytes(line)]


def page(report):
    machine = report["machine"]
    facts = [f"{name} {value}" for name, value in machine.items() if value is not None]
    outcomes = [[name, part["seconds"], part["outcome"], part.get("reason", "")] for name, part in report["parts"].items()]
    sections = [
        ("GPU check", ", ".join(facts) + "\n" if facts else "Nothing is known of the machine.\n"),
        ("Parts", table(["part", "seconds", "outcome", "why"], outcomes)),
        (
            "Beside libtorch on the CPU",
            "A gap is |got - expected| / (1 + |expected|) at worst.\n\n"
            + table(
                ["compared", "comparisons", "verdict", "worst gap", "allowed", "where"],
                [parity_row(line) for line in lines(report, "parity ")],
            ),
        ),
        (
            "Memory bandwidth",
            "Bytes that have to be moved by the time they take; the copy counts what it reads and what it writes.\n\n"
            + table(
                ["kernel", "MB", "microseconds", "GB/s", "of the copy"],
                [bandwidth_row(line) for line in lines(report, "bandwidth")],
            ),
        ),
        (
            "A GRPO step with LoRA in bf16",
            "Seconds, the faster of two steps: 4 groups of 8 responses of 128 tokens to prompts of 384. The whole is sampling and the update. "
            "Of ours, the forward pass is timed as the one that gives log-probabilities, the optimiser as what an update has beside its groups, "
            "and the backward pass is the rest. GB are those that the process has taken of the card beside its CUDA context.\n\n"
            + table(["model, by", *STEP, "whole", "GB"], step_rows(report)),
        ),
        (
            "Generation in bf16",
            "128 tokens behind prompts of 384, groups of 8 to a prompt, adapters not merged.\n\n"
            + table(
                ["model, by", "batch", "tokens a second", "GB"],
                [generation_row(line) for line in lines(report, "generate ")],
            ),
        ),
    ]
    return "\n".join(f"# {title}\n\n{text}" for title, text in sections)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=Path("."), help="where the report goes; here unless given")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to see that all works")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all parts together")
    parser.add_argument("--binary", default=HERE / "gpu-check", help="the checker")
    report = check(parser.parse_args())
    print(page(report))


if __name__ == "__main__":
    main()
