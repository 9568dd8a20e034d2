"""One GRPO step with TRL's trainer; `step.rs` is the other side.

In bf16 the weights and the state of AdamW are bf16 too: that is faster and smaller than f32 weights under autocast, TRL's default,
though small updates are lost in rounding; the other side keeps both in f32. Gradient checkpointing is off, which is
faster and larger than TRL's default.

The trainer takes two steps: a short one that warms up, and the one that is timed. All responses are sampled at once, a micro-batch
is as many of them as a group has. Responses are cut to lengths that both sides agree on.
"""

import tempfile
import time

import peft
import torch
import transformers
import trl
from datasets import Dataset
from measure import THREADS, WARM_UP_TOKENS, Stopwatch, read_words, report

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def response_lengths(groups, samples, new_tokens):
    """From 5/16 of the tokens to all of them in even steps, every group with its share of short and long ones."""
    shortest, last = new_tokens * 5 // 16, groups * samples - 1
    return [
        shortest + (sample * groups + group) * (new_tokens - shortest) // last
        for group in range(groups)
        for sample in range(samples)
    ]


class CutGeneration:
    """The generation of a trainer's model, timed, its responses cut."""

    def __init__(self, grpo, words):
        self.generate, self.words, self.calls, self.seconds = grpo.model.generate, words, 0, 0.0
        self.end = grpo.eos_token_ids[0]

    def __call__(self, input_ids, generation_config, **rest):
        words, is_warm_up = self.words, self.calls == 0
        self.calls += 1
        part = "warm_up" if is_warm_up else "prompts"
        expected = [prompt["ids"] for prompt in words.prompts[part][: words.groups]]
        assert input_ids[:: words.samples].tolist() == expected, "the prompts differ from those of the other side"
        tokens = WARM_UP_TOKENS if is_warm_up else words.new_tokens
        generation_config.min_new_tokens = generation_config.max_new_tokens = tokens
        begun = time.perf_counter()
        sampled = self.generate(input_ids=input_ids, generation_config=generation_config, **rest)
        self.seconds = time.perf_counter() - begun
        prompt = input_ids.shape[1]
        assert sampled.shape[1] == prompt + tokens, sampled.shape
        for row, length in zip(sampled, response_lengths(words.groups, words.samples, tokens)):
            row[prompt + length - 1 :] = self.end
        return sampled


class Timer(transformers.TrainerCallback):
    """Times the newest step."""

    def on_step_begin(self, *_, **__):
        self.stopwatch = Stopwatch()

    def on_step_end(self, *_, **__):
        self.times = self.stopwatch.read()


def varied_rewards(completions, **_):
    """Differ within every group, so that no group is without a signal."""
    return [float(index % 8) for index in range(len(completions))]


def settings(words, folder):
    return trl.GRPOConfig(
        output_dir=folder,
        use_cpu=True,
        bf16=words.precision == "bf16",
        model_init_kwargs={"dtype": "bfloat16" if words.precision == "bf16" else "float32"},
        gradient_checkpointing=False,
        per_device_train_batch_size=words.samples,
        gradient_accumulation_steps=words.groups,
        num_generations=words.samples,
        max_completion_length=words.new_tokens,
        beta=0.0,
        learning_rate=1e-6,
        lr_scheduler_type="constant",
        max_steps=2,
        shuffle_dataset=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        seed=words.round,
    )


def lora():
    return peft.LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=TARGETS, task_type="CAUSAL_LM")


def trainer(words, folder):
    prompts = words.prompts["warm_up"][: words.groups] + words.prompts["prompts"][: words.groups]
    conversations = [[{"role": "user", "content": prompt["text"]}] for prompt in prompts]
    return trl.GRPOTrainer(
        model=str(words.model),
        reward_funcs=varied_rewards,
        args=settings(words, folder),
        train_dataset=Dataset.from_dict({"prompt": conversations}),
        peft_config=lora() if words.lora else None,
    )


def main():
    words = read_words()
    torch.set_num_threads(THREADS)
    timer = Timer()
    with tempfile.TemporaryDirectory() as folder:
        grpo = trainer(words, folder)
        generation = grpo.model.generate = CutGeneration(grpo, words)
        grpo.add_callback(timer)
        grpo.train()
    assert generation.calls == 2, generation.calls
    tokens = sum(response_lengths(words.groups, words.samples, words.new_tokens))
    implementation = f"TRL {trl.__version__}"
    if words.lora:
        implementation += f" with PEFT {peft.__version__}"
    report(words, implementation, tokens, {**timer.times, "generation_seconds": generation.seconds})


if __name__ == "__main__":
    main()
