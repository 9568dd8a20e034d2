"""Three steps of GRPO with TRL, our reward, step credit, token advantages and curriculum, on a CPU, with a model drawn afresh.

The toy task: three films, and queries that ask for one of them by its genre. Each word is one token, so that a model that knows nothing
sometimes answers; three steps are enough to make it answer more often.

    pip install 'rerec[trl]'
    python train_with_trl.py
"""

import os
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig

import rerec
from rerec.trl import ReRecTrainer

FILMS = {"Heat": "crime", "Alien": "horror", "Up": "comedy"}


def catalogue() -> rerec.Catalogue:
    """The films with their genres; the crime film and the horror film are thrillers too."""
    genres = {title: [genre, *(["thriller"] if genre != "comedy" else [])] for title, genre in FILMS.items()}
    return rerec.Catalogue(
        {"id": title, "title": title, "attributes": [{"relation": "genre", "value": genre} for genre in known]}
        for title, known in genres.items()
    )


def queries() -> list[dict[str, object]]:
    """Eight queries for the crime film, as rows: the prompt, the query's id, the right titles, the candidates."""
    wishes = ["tonight", "today", "now", "soon", "please", "again", "first", "maybe"]
    return [
        {"prompt": f"crime {wish}", "query": f"q{place}", "targets": ["Heat"], "candidates": list(FILMS)}
        for place, wish in enumerate(wishes)
    ]


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, spelt as byte-level vocabularies spell theirs: `Ċ` is the end of a line."""
    words = [word for row in queries() for word in str(row["prompt"]).split()]
    answers = [f"{title}?Ċ" for title in FILMS] + [f"\\boxed{{{title}}}" for title in FILMS]
    vocabulary = dict.fromkeys(["<pad>", "<eos>", "<unk>", *words, *answers])
    inner = Tokenizer(models.WordLevel({word: place for place, word in enumerate(vocabulary)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left"
    )


def model(words: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=words.pad_token_id,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
    )
    return LlamaForCausalLM(config)


def settings(folder: str) -> GRPOConfig:
    """Four queries a step, with 32 responses each."""
    return GRPOConfig(
        output_dir=folder,
        max_steps=3,
        per_device_train_batch_size=128,
        num_generations=32,
        max_completion_length=4,
        learning_rate=0.03,
        lr_scheduler_type="constant",
        temperature=1.0,
        logging_steps=1,
        report_to="none",
        use_cpu=True,
        bf16=False,
        seed=0,
        save_strategy="no",
        disable_tqdm=True,
    )


def train() -> list[float]:
    """The mean reward of each step."""
    items, words = catalogue(), tokenizer()
    assessor = rerec.Assessor(rerec.DualGraphReward(items, rerec.AttributeGraph(items)))
    rows = queries()
    lowest, highest = assessor.metric_range
    curriculum = rerec.Curriculum(
        [row["query"] for row in rows],
        {"batch_size": 4, "metric": {"lowest": lowest, "highest": highest, "rescale": True}},
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = ReRecTrainer(
            assessor=assessor,
            curriculum=curriculum,
            model=model(words),
            processing_class=words,
            train_dataset=Dataset.from_list(rows),
            args=settings(folder),
        )
        trainer.train()
    print("difficulty of each query:", {row["query"]: round(curriculum.difficulty(row["query"]), 3) for row in rows})
    return [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]


if __name__ == "__main__":
    rewards = train()
    print("mean reward of each step:", [round(reward, 3) for reward in rewards])
    if not rewards[0] < rewards[1] < rewards[2]:
        raise SystemExit("the reward did not rise from step to step")
