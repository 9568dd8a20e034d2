"""Generation with transformers, as a user would write it; `generate.rs` is the other side."""

import torch
import transformers
from measure import THREADS, WARM_UP_TOKENS, Stopwatch, read_words, report

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def sample(model, ids, samples, new_tokens):
    """Groups of `samples` continuations, each of exactly `new_tokens` tokens, from the whole softmax."""
    return model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=True,
        temperature=1.0,
        top_k=None,
        top_p=None,
        num_return_sequences=samples,
        min_new_tokens=new_tokens,
        max_new_tokens=new_tokens,
    )


def main():
    words = read_words()
    torch.set_num_threads(THREADS)
    torch.manual_seed(words.round)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        words.model, dtype=DTYPES[words.precision], attn_implementation="sdpa"
    ).eval()
    sample(model, torch.tensor([words.prompts["warm_up"][0]["ids"]]), words.samples, WARM_UP_TOKENS)
    ids = torch.tensor([prompt["ids"] for prompt in words.prompts["prompts"][: words.groups]])
    stopwatch = Stopwatch()
    sampled = sample(model, ids, words.samples, words.new_tokens)
    times = stopwatch.read()
    rows, length = words.groups * words.samples, ids.shape[1] + words.new_tokens
    assert sampled.shape == (rows, length), sampled.shape
    report(words, f"transformers {transformers.__version__}", rows * words.new_tokens, times)


if __name__ == "__main__":
    main()
