"""Advantages on ragged and padded arrays, by hand."""

import numpy as np
import pytest

import rerec


def test_raae_by_hand() -> None:
    # Mean 2, unbiased deviation 1.
    rows = [np.array([1.0, 2.0]), np.array([3.0])]
    got = rerec.advantages({"estimator": "raae", "eps": 0}, groups=["q", "q"], token_rewards=rows)
    assert [row.tolist() for row in got] == [[-1.0, 0.0], [1.0]]


def test_outcomes_of_responses_by_hand() -> None:
    rewards = np.array([1.0, 0.0, 0.0, 0.0])
    alone = rerec.advantages({"estimator": "grpo", "eps": 0}, groups=[0, 0, 1, 1], rewards=rewards)
    # (1 - 1/2) / sqrt(1/2), and a group of equals.
    np.testing.assert_allclose(alone, [0.5**0.5, -(0.5**0.5), 0, 0], atol=1e-15)
    mask = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]])
    spread = rerec.advantages({"estimator": "grpo", "eps": 0}, groups=2, rewards=rewards, mask=mask)
    np.testing.assert_array_equal(spread, alone[:, None] * mask)


def test_ids_make_groups_wherever_they_stand() -> None:
    rewards = [1.0, 5.0, 0.0, 7.0]
    got = rerec.advantages("dr_grpo", groups=["a", "b", "a", "b"], rewards=rewards)
    assert got.tolist() == [0.5, -1.0, -0.5, 1.0]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_form_of_the_result_is_that_of_the_rewards(kind: type) -> None:
    padded = np.arange(6, dtype=kind).reshape(2, 3)
    got = rerec.advantages("raae", groups=1, token_rewards=padded)
    assert got.shape == (2, 3) and got.dtype == kind
    rows = rerec.advantages("raae", groups=1, token_rewards=list(padded))
    assert all(row.dtype == kind for row in rows)
    np.testing.assert_array_equal(got, rows)
    one = rerec.advantages("grpo", groups=2, rewards=padded[:, 0])
    assert one.shape == (2,) and one.dtype == kind


def test_padding_is_inert_whatever_it_holds() -> None:
    rows = [np.array([0.3, 0.1]), np.array([0.2, 0.7, 0.9])]
    padded, mask = np.full((2, 5), np.nan), np.zeros((2, 5), bool)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
        mask[place, : len(row)] = True
    ragged = rerec.advantages("raae", groups=2, token_rewards=rows)
    together = rerec.advantages("raae", groups=2, token_rewards=padded, mask=mask)
    for place, row in enumerate(ragged):
        np.testing.assert_array_equal(together[place, : len(row)], row)
    assert not together[~mask].any()


def test_arrays_of_any_layout_give_the_same() -> None:
    rewards = np.random.default_rng(0).normal(size=(4, 6))
    mask = np.random.default_rng(1).random((4, 6)) < 0.8
    expected = rerec.advantages("raae", groups=2, token_rewards=rewards, mask=mask)
    wide = np.zeros((4, 13))
    wide[:, 1::2] = rewards
    unaligned = np.frombuffer(b"x" + rewards.tobytes(), np.uint8)[1:].view(np.float64).reshape(4, 6)
    frozen = rewards.copy()
    frozen.flags.writeable = False
    for other in (np.asfortranarray(rewards), wide[:, 1::2], rewards[::-1][::-1], unaligned, frozen):
        got = rerec.advantages("raae", groups=2, token_rewards=other, mask=np.asfortranarray(mask))
        np.testing.assert_array_equal(got, expected)
    for numbers in (mask.astype(np.int64), mask.astype(np.float32), mask.astype(np.uint8)):
        np.testing.assert_array_equal(rerec.advantages("raae", groups=2, token_rewards=rewards, mask=numbers), expected)


def test_empty_batches_and_rows() -> None:
    assert rerec.advantages("raae", groups=[], token_rewards=[]) == []
    assert rerec.advantages("raae", groups=[], token_rewards=np.zeros((0, 4))).shape == (0, 4)
    rows = rerec.advantages("raae", groups=2, token_rewards=[np.zeros(0), np.array([1.0])])
    assert [row.tolist() for row in rows] == [[], [0.0]]


def test_presets_are_conventions_of_other_systems() -> None:
    rewards = [0.0, 1.0]
    deviation = 0.5**0.5
    for preset, eps in (("verl", 1e-6), ("trl", 1e-4), ("openrlhf", 1e-9)):
        got = rerec.advantages("grpo", groups=2, rewards=rewards, preset=preset)
        assert got[1] == pytest.approx(0.5 / (deviation + eps), abs=1e-12)
