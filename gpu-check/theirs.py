"""The parts of the GPU check that are not ours: the machine, and steps and generation by transformers and PEFT.

Numbers of tokens, prompts and the fields of the lines are those of `load.rs`, `step.rs` and `generate.rs`. The model is bf16 throughout,
adapters and their moments too, which is the faster way; gradient checkpointing is off; a micro-batch is a group.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from pathlib import Path

GROUPS = 4
# After one that warms up.
STEPS = 2
LEARNING_RATE = 1e-6
CLIP = 0.2
WARM_UP_TOKENS = 8
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# The libraries print progress of their own; standard output is for lines of JSON alone.
LINES = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def report(line):
    print(json.dumps(line), file=LINES, flush=True)


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def machine(_):
    import torch

    line = {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "torch_folder": os.path.dirname(torch.__file__),
        "transformers": version("transformers"),
        "peft": version("peft"),
    }
    try:
        torch.cuda.init()
        gpu = torch.cuda.get_device_properties(0)
        line["gpu"] = gpu.name
        line["gpu_bytes"] = gpu.total_memory
        line["multiprocessors"] = gpu.multi_processor_count
    except Exception as error:  # Whatever torch says is the reason.
        line["no_gpu"] = str(error).splitlines()[0]
    report(line)


class Load:
    def __init__(self, tiny):
        self.prompt, self.response, self.group = (6, 4, 2) if tiny else (384, 128, 8)
        self.batches = [1, 4] if tiny else [1, 16, 64, 256]

    def prompts(self, rows, vocab):
        """Ids [rows / group, prompt], and the responses to each."""
        import torch

        samples = min(self.group, rows)
        first = [group * self.prompt for group in range(rows // samples)]
        ids = [[(start + i) * 1_000_003 % vocab for i in range(self.prompt)] for start in first]
        return torch.tensor(ids), samples


class Clock:
    """Seconds since it was last read, the device idle at both ends."""

    def __init__(self, device):
        self.device = device
        self.read()

    def read(self):
        import torch

        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)
        before = getattr(self, "time", 0.0)
        self.time = time.perf_counter()
        return self.time - before


class Theirs:
    """A model of the given shape with random weights and adapters of rank 16 on every linear layer."""

    def __init__(self, words):
        import peft
        import torch
        import transformers

        self.words, self.load = words, Load(words.tiny)
        torch.manual_seed(1)
        self.before = self.taken()
        config = transformers.AutoConfig.from_pretrained(words.model)
        torch.set_default_dtype(torch.bfloat16)
        with torch.device(words.device):
            model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
        lora = peft.LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM")
        self.model = peft.get_peft_model(model, lora, autocast_adapter_dtype=False).eval()
        assert all(p.dtype == torch.bfloat16 for p in self.model.parameters()), "the model is not bf16 throughout"
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.vocab = config.vocab_size
        self.clock = Clock(words.device)

    def taken(self):
        """Memory of the GPU that is taken, by all processes."""
        import torch

        if not self.words.device.startswith("cuda"):
            return None
        free, total = torch.cuda.mem_get_info(self.words.device)
        return total - free

    def line(self, **numbers):
        line = {
            "by": f"transformers {version('transformers')}, PEFT {version('peft')}",
            "model": self.words.model.name,
            "device": self.words.device,
            **numbers,
        }
        if self.before is not None:
            line["bytes"] = self.taken() - self.before
        report(line)

    def sample(self, rows, tokens):
        """Ids [rows, prompt + tokens]."""
        ids, samples = self.load.prompts(rows, self.vocab)
        ids = ids.to(self.words.device)
        sampled = self.model.generate(
            input_ids=ids,
            attention_mask=ids.new_ones(ids.shape),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            num_return_sequences=samples,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            pad_token_id=0,
        )
        assert sampled.shape == (rows, self.load.prompt + tokens), sampled.shape
        return sampled

    def log_probs(self, ids):
        """Of the response tokens, [rows, response]."""
        import torch

        responses = ids[:, self.load.prompt :]
        logits = self.model(input_ids=ids, use_cache=False, logits_to_keep=self.load.response + 1).logits[:, :-1]
        chosen = logits.gather(-1, responses.unsqueeze(-1)).squeeze(-1).float()
        # Row by row, as TRL does: the logits of a micro-batch in f32 would be the largest tensor.
        return chosen - torch.stack([row.float().logsumexp(-1) for row in logits])


def loss(log_probs, old, advantages):
    import torch

    ratio = (log_probs - old).exp()
    clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
    return -torch.min(ratio * advantages, clipped * advantages).mean() / GROUPS


def step(words):
    import torch

    theirs = Theirs(words)
    load, clock = theirs.load, theirs.clock
    is_cuda = words.device.startswith("cuda")
    optimizer = torch.optim.AdamW(theirs.trained, lr=LEARNING_RATE, weight_decay=0.0, fused=is_cuda)
    rewards = torch.arange(load.group, dtype=torch.float32, device=words.device)
    advantages = ((rewards - rewards.mean()) / (rewards.std() + 1e-4)).unsqueeze(1)
    for number in range(STEPS + 1):
        seconds = dict.fromkeys(["forward_seconds", "backward_seconds"], 0.0)
        clock.read()
        groups = theirs.sample(GROUPS * load.group, load.response).split(load.group)
        seconds["sampling_seconds"] = clock.read()
        with torch.no_grad():
            old = [theirs.log_probs(group) for group in groups]
        seconds["log_probs_seconds"] = clock.read()
        for group, before in zip(groups, old):
            value = loss(theirs.log_probs(group), before, advantages)
            seconds["forward_seconds"] += clock.read()
            value.backward()
            seconds["backward_seconds"] += clock.read()
        torch.nn.utils.clip_grad_norm_(theirs.trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds["optimizer_seconds"] = clock.read()
        parts = ["forward_seconds", "backward_seconds", "optimizer_seconds"]
        seconds["update_seconds"] = sum(seconds[part] for part in parts)
        if number > 0:
            theirs.line(tokens=GROUPS * load.group * load.response, **seconds)


def generate(words):
    theirs = Theirs(words)
    load, clock = theirs.load, theirs.clock
    for rows in load.batches:
        theirs.sample(rows, min(WARM_UP_TOKENS, load.response))
        clock.read()
        theirs.sample(rows, load.response)
        theirs.line(rows=rows, tokens=rows * load.response, seconds=clock.read())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["machine", "step", "generate"])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--tiny", action="store_true")
    words = parser.parse_args()
    try:
        {"machine": machine, "step": step, "generate": generate}[words.part](words)
    except ImportError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
