"""The trainer for TRL: its advantages, its order, three steps of training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import train_with_trl as toy
from answers import RIGHT, WRONG, ids
from datasets import Dataset

import rerec
from rerec.trl import ReRecTrainer, reward_function


def trainer(folder: Path, **changed: Any) -> ReRecTrainer:
    words, items, rows = toy.tokenizer(), toy.catalogue(), toy.queries()
    given: dict[str, Any] = {
        "assessor": rerec.Assessor(rerec.DualGraphReward(items, rerec.AttributeGraph(items))),
        "curriculum": rerec.Curriculum(
            [row["query"] for row in rows],
            {"batch_size": 4, "metric": {"lowest": -0.55, "highest": 1.06, "rescale": True}},
        ),
    } | changed
    settings = toy.settings(str(folder))
    return ReRecTrainer(
        model=toy.model(words), processing_class=words, train_dataset=Dataset.from_list(rows), args=settings, **given
    )


def test_rewards_rise_in_three_steps() -> None:
    first, second, third = toy.train()
    assert first < second < third


def test_the_documented_hook_takes_texts_and_messages() -> None:
    logged: dict[str, float] = {}
    reward = reward_function(rerec.DualGraphReward(toy.catalogue()))
    completions = ["\\boxed{Heat}", [{"role": "assistant", "content": "\\boxed{Up}"}], "none", "\\boxed{Heat}"]
    targets = [["Heat"]] * 3 + [["Casablanca"]]
    totals = reward(
        prompts=[], completions=completions, completion_ids=[], targets=targets, log_metric=logged.__setitem__
    )
    assert totals == [1.05, 0.05, -0.55, None]
    assert logged == {"rerec/hit": 0.25, "rerec/no_box": 0.25}


def test_advantages_are_those_of_the_assessor(tmp_path: Path) -> None:
    ours = trainer(tmp_path)
    seen: dict[str, Any] = {}
    assess = ours._assess

    def spy(inputs: Any, sampled: Any) -> Any:
        seen["ids"], seen["assessed"] = sampled, assess(inputs, sampled)
        return seen["assessed"]

    ours._assess = spy
    inputs = [row for row in toy.queries()[:4] for _ in range(32)]
    output = ours._generate_and_score_completions(inputs)
    mask = output["completion_mask"].bool()
    assert output["advantages"].shape == mask.shape and not output["advantages"][~mask].any()
    texts, byte_lens = rerec.token_bytes(ours.processing_class).decode(seen["ids"])
    credit = rerec.Credit(toy.catalogue()).assign(
        texts, byte_lens, targets=[["Heat"]] * 128, candidates=[list(toy.FILMS)] * 128,
        rewards=seen["assessed"].rewards.totals,
    )  # fmt: skip
    rows = [credited.token_rewards for credited in credit]
    expected = rerec.advantages("raae", groups=32, token_rewards=rows)
    for row, valid, want in zip(output["advantages"], mask, expected, strict=True):
        np.testing.assert_allclose(row[valid].numpy(), want, rtol=0, atol=1e-6)
    # Some steps name a wrong answer, so that tokens of one response differ.
    assert any(len(set(row[valid].tolist())) > 1 for row, valid in zip(output["advantages"], mask, strict=True))


def test_the_curriculum_is_the_sampler(tmp_path: Path) -> None:
    ours = trainer(tmp_path)
    places = list(ours._get_train_sampler(ours.train_dataset))
    assert places == [place for place in range(8) for _ in range(32)]
    assert len(ours.get_train_dataloader()) == 2
    with pytest.raises(rerec.SettingError, match="the curriculum's batch_size must be 4"):
        trainer(tmp_path, curriculum=rerec.Curriculum(["q0"], {"batch_size": 3}))


def test_the_curriculum_is_kept_beside_checkpoints(tmp_path: Path) -> None:
    ours = trainer(tmp_path)
    ours.args.save_strategy = "steps"
    (tmp_path / "checkpoint-0").mkdir()
    ours.callback_handler.on_save(ours.args, ours.state, ours.control)
    assert rerec.Curriculum.load(tmp_path / "checkpoint-0/curriculum.json").state() == ours.curriculum.state()


def test_step_credit_by_hand(words: Any) -> None:
    texts, byte_lens = rerec.token_bytes(words).decode([ids(words, *RIGHT), ids(words, *WRONG)])
    assert texts == ["Heat?\n\\boxed{Heat}", "Alien?\n\\boxed{Alien}"]
    assert [lens.tolist() for lens in byte_lens] == [[6, 12, 0], [7, 13, 0]]
    assert torch.tensor(byte_lens[0].astype(int)).sum() == len(texts[0])
