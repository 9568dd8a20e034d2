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
from rerec.trl import PendingSampler, ReRecTrainer, reward_function

METRIC = {"lowest": -0.55, "highest": 1.06, "rescale": True}


def curriculum(**settings: Any) -> rerec.Curriculum:
    return rerec.Curriculum([row["query"] for row in toy.queries()], {"batch_size": 4, "metric": METRIC} | settings)


def trainer(folder: Path, args: dict[str, Any] | None = None, **changed: Any) -> ReRecTrainer:
    words, items, rows = toy.tokenizer(), toy.catalogue(), toy.queries()
    given: dict[str, Any] = {
        "assessor": rerec.Assessor(rerec.DualGraphReward(items, rerec.AttributeGraph(items))),
        "curriculum": curriculum(),
    } | changed
    settings = toy.settings(str(folder))
    for name, value in (args or {}).items():
        setattr(settings, name, value)
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


def answering(ours: ReRecTrainer, *answers: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows of four queries with 32 responses each; these answers in turn are what the model samples."""
    inputs = [row for row in toy.queries()[:4] for _ in range(32)]
    sampled = [ids(ours.processing_class, *answers[place % len(answers)]) for place in range(len(inputs))]
    ours._generate_single_turn = lambda *_: (sampled, None)
    return inputs


def test_advantages_of_known_responses_by_hand(tmp_path: Path) -> None:
    ours = trainer(tmp_path)
    output = ours._generate_and_score_completions(answering(ours, RIGHT, WRONG))
    # 0.1 · 0.5 + 1 + 0.01; wrong, one of two genres shared, and the step that names the film keeps 0.7 of it.
    rewards = np.array([[1.06, 1.06, 1.06], [0.7 * 0.055, 0.055, 0.055]])
    group = np.tile(rewards, (16, 1))
    expected = (rewards - group.mean()) / (group.std(ddof=1) + 1e-6)
    assert output["advantages"].dtype == torch.float32
    np.testing.assert_allclose(output["advantages"].numpy(), np.tile(expected, (64, 1)), rtol=0, atol=1e-6)
    ours.curriculum.end_epoch()
    assert ours.curriculum.difficulty("q0") == pytest.approx((1.06 - (1.06 + 0.055) / 2) / 1.61)


def test_a_truncated_response_is_read_though_it_is_masked(tmp_path: Path) -> None:
    ours = trainer(tmp_path, {"mask_truncated_completions": True})
    truncated = RIGHT[:2]
    output = ours._generate_and_score_completions(answering(ours, truncated, WRONG))
    mask = output["completion_mask"].bool()
    assert not mask[0].any() and mask[1].all()
    assert not output["advantages"][0].any() and (output["advantages"][1] < 0).all()
    ours.curriculum.end_epoch()
    # Read as nothing it would earn -0.55.
    assert ours.curriculum.difficulty("q0") == pytest.approx((1.06 - (1.06 + 0.055) / 2) / 1.61)


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


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"curriculum": curriculum(batch_size=3)}, "the curriculum's batch_size must be 4"),
        (
            {"curriculum": rerec.Curriculum(["q0"], {"batch_size": 4})},
            r"metric must span \[-0\.55, 1\.06\], the assessor's metric_range, got \[0\.0, 1\.0\]",
        ),
        ({"args": {"off_policy_mask_threshold": 0.5}}, "off_policy_mask_threshold must be None, got 0.5"),
        ({"args": {"loss_type": "vespo"}}, "loss_type must be another"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(rerec.SettingError, match=message):
        trainer(tmp_path, **changed)


def tried(ours: ReRecTrainer) -> list[list[str]]:
    """Filled with the queries of each step."""
    seen: list[list[str]] = []
    assess = ours._assess

    def spy(inputs: Any, sampled: Any) -> Any:
        seen.append(list(dict.fromkeys(row["query"] for row in inputs)))
        return assess(inputs, sampled)

    ours._assess = spy
    return seen


def test_training_resumes_with_the_batch_that_was_read_ahead(tmp_path: Path) -> None:
    saving = {"save_strategy": "steps", "save_steps": 1}
    ours = trainer(tmp_path, saving | {"max_steps": 1})
    first = tried(ours)
    ours.train()
    again = trainer(tmp_path, saving | {"max_steps": 2})
    second = tried(again)
    again.train(resume_from_checkpoint=True)
    assert first == [["q0", "q1", "q2", "q3"]] and second == [["q4", "q5", "q6", "q7"]]
    # What was recorded before is known after.
    again.curriculum.end_epoch()
    assert all(again.curriculum.difficulty(f"q{place}") < 1 for place in range(8))


def test_a_pass_begins_with_what_is_pending() -> None:
    pending = [["q1"]]
    ours = curriculum(batch_size=1)
    assert [ours.next_batch() for _ in range(7)][1] == ["q1"]
    sampler = PendingSampler(ours, [f"q{place}" for place in range(8)], pending)
    assert len(sampler) == 2 and list(sampler) == [1, 7]
    # Both are tried later: the epoch is still the same one.
    assert (ours.epoch, pending) == (1, [["q1"], ["q7"]])


def test_step_credit_by_hand(words: Any) -> None:
    texts, byte_lens = rerec.token_bytes(words).decode([ids(words, *RIGHT), ids(words, *WRONG)])
    assert texts == ["Heat?\n\\boxed{Heat}", "Alien?\n\\boxed{Alien}"]
    assert [lens.tolist() for lens in byte_lens] == [[6, 12, 0], [7, 13, 0]]
    assert torch.tensor(byte_lens[0].astype(int)).sum() == len(texts[0])
