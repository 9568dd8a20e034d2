"""Makes the tiny random checkpoints of tests/data/checkpoints, with the logits and the greedy text that transformers gives them.

    python3 -m pip install torch==2.11.0 transformers==4.57.6
    python3 crates/policy/tests/make_checkpoints.py [NAME…]

Each folder is what `save_pretrained` writes, and `expected.json`: versions, ids, logits (f32, row by row), a chat prompt's ids, and
the text of 12 greedy tokens behind it.
"""

import json
import pathlib
import shutil
import sys

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent / "data" / "checkpoints"
SHAPE = dict(
    vocab_size=288,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
    # Large enough that a wrong detail moves the logits by more than rounding does.
    initializer_range=0.3,
)
LLAMA3 = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32
)
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'].strip() }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tokenizer():
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = [AddedToken(t, special=True) for t in ["<|begin|>", "<|end|>", "<|user|>", "<|assistant|>"]]
    corpus = ["a western from the 1980s", "Amélie is a comedy", "the film is a western"]
    trainer = trainers.BpeTrainer(
        vocab_size=286, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    inner.train_from_iterator(corpus, trainer)
    # An added token that is text, not control.
    inner.add_tokens([AddedToken("<note>", special=False)])
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|end|>"
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def models_to_make():
    yield "llama-tied", transformers.LlamaConfig(**SHAPE, tie_word_embeddings=True, rms_norm_eps=1e-5), "1GB"
    yield "llama3-sharded", transformers.LlamaConfig(
        **SHAPE, tie_word_embeddings=False, rope_theta=500000.0, rope_scaling=LLAMA3
    ), "60KB"
    yield "qwen2", transformers.Qwen2Config(**SHAPE, tie_word_embeddings=False, rope_theta=1e6), "1GB"
    yield "qwen3", transformers.Qwen3Config(**SHAPE, head_dim=8, tie_word_embeddings=True, rope_theta=1e6), "1GB"
    yield "mistral", transformers.MistralConfig(**SHAPE, head_dim=8, sliding_window=128, rope_theta=1e6), "1GB"
    layers = SHAPE | dict(num_hidden_layers=3)
    yield "smollm3", transformers.SmolLM3Config(
        **layers, no_rope_layer_interval=2, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, pad_token_id=1
    ), "1GB"
    yield "granite", transformers.GraniteConfig(
        **SHAPE,
        embedding_multiplier=3.0,
        residual_multiplier=0.22,
        attention_multiplier=0.3,
        logits_scaling=2.0,
        tie_word_embeddings=True,
    ), "1GB"
    yarn = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32)
    yield "qwen2-yarn", transformers.Qwen2Config(**SHAPE, rope_theta=1e4, rope_scaling=yarn, tie_word_embeddings=True), "1GB"
    yarn = yarn | dict(mscale=0.7, mscale_all_dim=1.0, beta_fast=8.0, beta_slow=2.0, truncate=False)
    yield "llama-yarn-bias", transformers.LlamaConfig(
        **SHAPE, rope_theta=1e4, rope_scaling=yarn, attention_bias=True, mlp_bias=True, tie_word_embeddings=True
    ), "1GB"


def expected(model, tok, ids):
    prompt = tok.apply_chat_template([{"role": "user", "content": " a western? "}], add_generation_prompt=True)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
        out = model.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False, pad_token_id=tok.pad_token_id)
    answer = out[0, len(prompt) :].tolist()
    return dict(
        versions=dict(torch=torch.__version__, transformers=transformers.__version__),
        ids=ids,
        logits=[[round(x, 6) for x in row] for row in logits.tolist()],
        chat=" a western? ",
        chat_ids=prompt,
        greedy_ids=answer,
        greedy_text=tok.decode(answer, skip_special_tokens=True),
    )


def main():
    tok = tokenizer()
    for name, config, shard in models_to_make():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        shutil.rmtree(HERE / name, ignore_errors=True)
        torch.manual_seed(len(name))
        config.bos_token_id, config.eos_token_id = tok.bos_token_id, tok.eos_token_id
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                # Norms and biases begin at 1 and 0, which would hide a mistake in them.
                if parameter.dim() == 1:
                    parameter.add_(torch.randn_like(parameter) * 0.3)
        folder = HERE / name
        model.save_pretrained(folder, max_shard_size=shard)
        tok.save_pretrained(folder)
        ids = torch.randint(0, 280, (40,)).tolist()
        (folder / "expected.json").write_text(json.dumps(expected(model, tok, ids)))


if __name__ == "__main__":
    main()
