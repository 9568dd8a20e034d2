"""The curriculum and its sampler."""

import copy
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import rerec


def one_epoch(curriculum: rerec.Curriculum) -> list[list[str]]:
    batches = []
    while (batch := curriculum.next_batch()) is not None:
        batches.append(batch)
    return batches


def test_an_epoch_by_hand() -> None:
    curriculum = rerec.Curriculum(["a", "b", "c"], {"batch_size": 2, "too_few": "stop"})
    assert one_epoch(curriculum) == [["a", "b"], ["c"]]
    for query, metrics in (("c", [1.0, 0.5]), ("b", [0.0]), ("a", [1.0])):
        curriculum.record(query, metrics)
    epoch = curriculum.end_epoch()
    # a is mastered (difficulty 0 < 0.1); the others come from easy to hard.
    assert (epoch["newly_mastered"], epoch["recorded"]) == (1, 3)
    assert curriculum.is_mastered("a") and curriculum.difficulty("c") == 0.25
    assert (curriculum.epoch, one_epoch(curriculum)) == (2, [["c", "b"]])


def test_ids_may_be_numbers() -> None:
    curriculum = rerec.Curriculum([7, 8], {"batch_size": 2})
    curriculum.record(7, [1.0])
    curriculum.end_epoch()
    assert curriculum.is_mastered("7") and curriculum.queries == ["7", "8"]


def test_it_goes_on_from_a_file_from_text_and_from_a_pickle(tmp_path: Path) -> None:
    curriculum = rerec.Curriculum([str(i) for i in range(6)], {"batch_size": 2, "order": "random", "seed": 3})
    curriculum.next_batch()
    curriculum.record("1", [0.5])
    curriculum.save(f"{tmp_path}/state.json")
    others = [
        rerec.Curriculum.load(f"{tmp_path}/state.json"),
        rerec.Curriculum.from_state(curriculum.state()),
        pickle.loads(pickle.dumps(curriculum)),
        copy.deepcopy(curriculum),
    ]
    expected = one_epoch(curriculum)
    curriculum.end_epoch()
    for other in others:
        assert one_epoch(other) == expected
        other.end_epoch()
        assert other.state() == curriculum.state()


def test_threads_may_record() -> None:
    curriculum = rerec.Curriculum(["q"])
    threads = [threading.Thread(target=curriculum.record, args=("q", [i % 2])) for i in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    curriculum.end_epoch()
    assert curriculum.difficulty("q") == 0.5


def test_data_sets_may_change() -> None:
    curriculum = rerec.Curriculum(["a", "b"], classes=["x", "y"])
    assert curriculum.reconcile(["b", "c"], classes=["y", "x"]) == (["c"], ["a"])
    assert curriculum.next_batch() == ["b", "c"]
    curriculum.reconfigure({"batch_size": 1})
    assert curriculum.settings["batch_size"] == 1


CALLS_BACK = """
import json, rerec
curriculum = rerec.Curriculum(["a", "b"])
assert curriculum.reconcile(q for q in ["a", "b", "c"] if q == "c" or not curriculum.is_mastered(q)) == (["c"], [])

class Id:
    def __index__(self):
        curriculum.reconfigure({"tau": 0.2})
        return 7

for ask in (curriculum.difficulty, curriculum.is_mastered):
    try:
        ask(Id())
    except rerec.CurriculumError:
        pass
loads = json.loads
json.loads = lambda text: (curriculum.withdraw_upcoming(), loads(text))[1]
assert curriculum.settings["batch_size"] == 512
"""


def test_arguments_may_ask_the_curriculum() -> None:
    """In a process of its own: a lock that is held meanwhile would be waited for with Python's own in hand."""
    done = subprocess.run([sys.executable, "-c", CALLS_BACK], timeout=30, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_state_is_restored_in_place() -> None:
    curriculum = rerec.Curriculum(["a", "b"], {"batch_size": 1})
    state = curriculum.state()
    assert curriculum.next_batch() == ["a"]
    curriculum.restore(state)
    assert one_epoch(curriculum) == [["a"], ["b"]]
    with pytest.raises(rerec.SettingError, match="state: trailing characters"):
        curriculum.restore(state + " garbage")
    assert curriculum.upcoming == []


def test_a_sampler_serves_epochs() -> None:
    curriculum = rerec.Curriculum(["a", "b", "c"], {"batch_size": 2})
    sampler = rerec.CurriculumSampler(curriculum, ["c", "b", "a"], repeats=2, block_repeats=2)
    assert len(sampler) == 12
    assert list(sampler) == [2, 2, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0]
    curriculum.record("a", [1.0])
    curriculum.record("b", [0.25])
    # a is set aside; b is easier than c.
    assert list(sampler) == [1, 1, 0, 0, 1, 1, 0, 0]


def test_a_last_batch_is_filled_with_its_own_queries() -> None:
    curriculum = rerec.Curriculum(["a", "b", "c", "d"], {"batch_size": 3})
    sampler = rerec.CurriculumSampler(curriculum, ["a", "b", "c", "d"], whole_batches=True)
    assert len(sampler) == 6
    assert list(sampler) == [0, 1, 2, 3, 3, 3]


def test_a_sampler_is_resumed_where_it_stood() -> None:
    def sampler() -> rerec.CurriculumSampler:
        return rerec.CurriculumSampler(rerec.Curriculum(["a", "b", "c"], {"batch_size": 1}), ["a", "b", "c"])

    whole = list(sampler())
    first = sampler()
    passed = iter(first)
    begun = [next(passed), next(passed)]
    again = sampler()
    again.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))
    assert begun + list(again) == whole


def test_a_sampler_carries_what_makes_no_batch() -> None:
    curriculum = rerec.Curriculum(["a", "b", "c"], {"batch_size": 2, "partial_batch": "carry"})
    sampler = rerec.CurriculumSampler(curriculum, ["a", "b", "c"])
    passes = []
    for _ in range(3):
        assert len(sampler) == 2
        passes.append(list(sampler))
        for place in passes[-1]:
            curriculum.record("abc"[place], [0.5])
    assert passes[0] == [0, 1] and all(len(one) == 2 for one in passes)
    assert {place for one in passes for place in one} == {0, 1, 2}


def test_a_sampler_goes_on_behind_the_end_of_an_epoch() -> None:
    curriculum = rerec.Curriculum(["a", "b"], {"batch_size": 1})
    assert one_epoch(curriculum) == [["a"], ["b"]]
    curriculum.record("a", [1.0])
    curriculum.record("b", [0.0])
    again = rerec.CurriculumSampler(rerec.Curriculum.from_state(curriculum.state()), ["a", "b"])
    assert list(again) == [1] and again.curriculum.is_mastered("a")


def test_a_sampler_is_set_back_with_its_curriculum() -> None:
    curriculum = rerec.Curriculum(["a", "b"], {"batch_size": 1})
    sampler = rerec.CurriculumSampler(curriculum, ["a", "b"])
    state = sampler.state_dict()
    assert list(sampler) == [0, 1]
    sampler.load_state_dict(state)
    # Whoever records into the curriculum goes on with the same one.
    assert sampler.curriculum is curriculum and curriculum.upcoming == ["a", "b"]
    other = rerec.CurriculumSampler(rerec.Curriculum(["a", "c"]), ["a", "c"]).state_dict()
    with pytest.raises(rerec.DataError, match="got none for 'c'"):
        sampler.load_state_dict(other)
    assert curriculum.queries == ["a", "b"]


def test_a_sampler_refuses_ids_that_do_not_fit() -> None:
    curriculum = rerec.Curriculum(["a", "b"])
    with pytest.raises(ValueError, match="ids must hold every query of the curriculum, got none for 'b'"):
        rerec.CurriculumSampler(curriculum, ["a"])
    with pytest.raises(ValueError, match=r"ids\[1\] is 'a', which ids\[0\] already is"):
        rerec.CurriculumSampler(curriculum, ["a", "a", "b"])
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        rerec.CurriculumSampler(curriculum, ["a", "b"], repeats=0)


def test_nothing_here_needs_torch() -> None:
    assert not {"torch", "trl", "verl", "transformers"} & set(sys.modules)
