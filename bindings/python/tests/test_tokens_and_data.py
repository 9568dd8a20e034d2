"""Token bytes, data sets, ranking."""

import json
import pickle
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

import rerec

BYTE_LEVEL = {
    "added_tokens": [{"id": 4, "content": "<eos>", "special": True}],
    "decoder": {"type": "ByteLevel"},
    # "Ġ" is a space; "Ã" and "©" are the bytes of "é".
    "model": {"vocab": {"Up": 0, "Ġcaf": 1, "Ã": 2, "©": 3}},
}


class Tokenizer:
    """What `rerec.token_bytes` takes of a tokenizer of `tokenizers`."""

    def to_str(self) -> str:
        return json.dumps(BYTE_LEVEL)


class FastTokenizer:
    """What it takes of one of transformers."""

    backend_tokenizer = Tokenizer()


@pytest.mark.parametrize("tokenizer", [Tokenizer(), FastTokenizer()])
def test_sampled_ids_are_the_truth(tokenizer: object) -> None:
    tokens = rerec.token_bytes(tokenizer)
    texts, byte_lens = tokens.decode([[0, 1, 2, 3, 4], np.array([1, 2]), []])
    # The last one was cut inside a character: U+FFFD has three bytes.
    assert texts == ["Up café", " caf�", ""]
    assert [lens.tolist() for lens in byte_lens] == [[2, 4, 1, 1, 0], [4, 3], []]
    assert all(int(lens.sum()) == len(text.encode()) for text, lens in zip(texts, byte_lens, strict=True))
    again = pickle.loads(pickle.dumps(tokens))
    assert again.decode([[0]])[0] == ["Up"]
    with pytest.raises(rerec.TextError, match=r"responses\[1\]: token 0 must be an id below 5, got 9"):
        tokens.decode([[0], [9]])
    with pytest.raises(ValueError, match=r"ids\[0\]\[0\] must be a whole number"):
        tokens.decode([[-1]])
    # An iterator is read once, also where it is at fault.
    assert tokens.decode(iter([iter([0, 1])]))[0] == ["Up caf"]
    with pytest.raises(ValueError, match=r"ids\[0\]\[1\] must be a whole number from 0 to 4294967295, got -1"):
        tokens.decode([iter([0, -1, 1])])
    with pytest.raises(ValueError, match=rf"ids\[0\]\[0\] must be a whole number from 0 to 4294967295, got {2**70}"):
        tokens.decode([[2**70]])


def test_ids_that_a_model_has_beyond_its_tokenizer_hold_no_bytes() -> None:
    tokens = rerec.token_bytes(Tokenizer(), vocab_size=8)
    for padded in (tokens, pickle.loads(pickle.dumps(tokens))):
        texts, [byte_lens] = padded.decode([[0, 7, 1]])
        assert texts == ["Up caf"] and byte_lens.tolist() == [2, 0, 4]
        assert len(padded) == 8
        with pytest.raises(rerec.TextError, match=r"responses\[0\]: token 1 must be an id below 8, got 8"):
            padded.decode([[0, 8]])
    # A model with fewer ids than its tokenizer samples none of the others.
    assert len(rerec.token_bytes(Tokenizer(), vocab_size=2)) == 5
    with pytest.raises(OverflowError):
        rerec.token_bytes(Tokenizer(), vocab_size=-1)


def test_a_world_is_composed_written_and_read_again(tmp_path: Path) -> None:
    source = {"quickstart": {"queries": {"train": 20, "validation": 4, "test": 6}}}
    world = rerec.Dataset(source, seed=7)
    assert [len(split) for split in (world.train, world.validation, world.test)] == [20, 4, 6]
    assert world.train == rerec.Dataset(source, seed=7).train != rerec.Dataset(source, seed=8).train
    written = [path.name for path in world.write(f"{tmp_path}/world")]
    assert written == ["catalogue.jsonl", "ratings.jsonl", "train.jsonl", "validation.jsonl", "test.jsonl"]
    catalogue = rerec.Catalogue.read(f"{tmp_path}/world/catalogue.jsonl")
    assert rerec.read_queries(f"{tmp_path}/world/train.jsonl", catalogue) == world.train
    records = world.write(f"{tmp_path}/verl", "verl", "world")
    record = json.loads(records[0].read_text().splitlines()[0])
    assert record["data_source"] == "world" and record["reward_model"]["ground_truth"]
    users, items = world.choices
    assert len(users) == len(items) > 100
    fitted = rerec.LightGCN({"dimension": 4, "max_epochs": 1}).fit(users, items)
    assert set(fitted.item_ids) <= set(world.catalogue.ids)


def needs_parquet(folder: Path) -> None:
    """Leaves the test out in a development build; every wheel has Parquet."""
    try:
        rerec.Dataset({"quickstart": {}}).write(folder, "parquet")
    except rerec.SettingError:
        pytest.skip("a development build has no Parquet")


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_files_are_read_as_they_were_written(tmp_path: Path, form: str) -> None:
    if form == "parquet":
        needs_parquet(tmp_path)
    world = rerec.Dataset({"quickstart": {"queries": {"train": 20, "validation": 4, "test": 6}}}, seed=7)
    written = {path.stem: {"file": str(path)} for path in world.write(tmp_path, form)}
    assert all(path["file"].endswith(form) for path in written.values())
    splits = {split: written[split]["file"] for split in ("train", "validation", "test")}
    source = {
        "files": {
            "catalogue": written["catalogue"],
            "ratings": written["ratings"],
            "queries": splits | {"conditions": "conditions", "user": "user"},
        }
    }
    again = rerec.Dataset(source)
    assert again.catalogue.items == world.catalogue.items
    assert (again.train, again.test) == (world.train, world.test)


def test_records_of_verl_in_parquet_are_read(tmp_path: Path) -> None:
    needs_parquet(tmp_path)
    world = rerec.Dataset({"quickstart": {"queries": {"train": 20, "validation": 4, "test": 6}}}, seed=7)
    records = world.write(tmp_path, "verl_parquet", "world")
    assert records[0].read_bytes()[:4] == b"PAR1"
    source = {"verl": {"train": str(records[0]), "catalogue": {"file": str(world.write(tmp_path)[0])}}}
    assert rerec.Dataset(source).train == world.train
    records[0].write_bytes(records[0].read_bytes()[:-9])
    with pytest.raises(rerec.DataError, match=r"train\.parquet"):
        rerec.Dataset(source)


def test_runs_are_ranked_by_score_and_ties_by_place() -> None:
    qrels = {"q": {"a": 1}, "r": {"b": 2, "c": 1}}
    run = {"r": {"c": 0.9, "b": 0.9, "x": 1.0}, "q": {"a": 0.1, "b": 0.9}}
    means = rerec.evaluate(run, qrels, ["mrr", "hit_rate@1", "ndcg@3"], conventions="ranx")
    ideal = 2 + 1 / np.log2(3)
    got = (1 / np.log2(3) + 2 / np.log2(4)) / ideal
    assert means["mrr"] == 0.5 and means["hit_rate@1"] == 0
    assert means["ndcg@3"] == pytest.approx((1 / np.log2(3) + got) / 2, abs=1e-12)
    each = rerec.evaluate(run, qrels, ["ndcg@3"], per_query=True)["ndcg@3"]
    assert each.dtype == np.float64 and each[1] == pytest.approx(got, abs=1e-12)
    lists = rerec.evaluate({"q": ["b", "a"]}, {"q": ["a"]}, ["mrr"])
    assert lists == {"mrr": 0.5}


def test_any_mapping_is_read_as_one() -> None:
    scores, grades = MappingProxyType({"a": 0.1, "b": 0.9}), MappingProxyType({"b": 1})
    run, qrels = MappingProxyType({"q": scores}), MappingProxyType({"q": grades})
    assert rerec.evaluate(run, qrels, ["mrr"]) == {"mrr": 1.0}
    # Right items have no order, so that a set will do; an answer has.
    assert rerec.evaluate({"q": ["b", "a"]}, {"q": {"a"}}, ["mrr"]) == {"mrr": 0.5}
    with pytest.raises(TypeError, match=r"run\[q\] must be a mapping of items to scores, or a sequence .* got set"):
        rerec.evaluate({"q": {"a"}}, {"q": ["a"]}, ["mrr"])


def test_zero_is_zero_whatever_its_sign() -> None:
    assert rerec.evaluate({"q": {"a": -0.0, "b": 0.0}}, {"q": ["a"]}, ["mrr"]) == {"mrr": 1.0}


def test_conventions_by_name_and_by_setting() -> None:
    run, qrels = {"q": ["a"], "r": ["b"]}, {"q": {"a": 3}, "r": {"b": 0}}
    assert rerec.evaluate(run, qrels, ["hit_rate"], conventions="trec_eval") == {"hit_rate": 0.5}
    assert rerec.evaluate(run, qrels, ["hit_rate"], conventions="recbole") == {"hit_rate": 1.0}
    exponential = rerec.evaluate({"q": ["a"]}, {"q": {"a": 3}}, ["dcg"], conventions={"gain": "exponential"})
    assert exponential == {"dcg": 7.0}
