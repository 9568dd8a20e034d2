"""Pickles, forked and spawned processes, threads, memory."""

import multiprocessing
import os
import pickle
import resource
import threading
import time
from typing import Any

import numpy as np
import pytest

import rerec

RESPONSES, TARGETS = ["so \\boxed{heat}", "\\boxed{Casino}"] * 200, [["Heat (1995)"]] * 400


def totals(reward: rerec.DualGraphReward) -> list[float]:
    return reward.score(RESPONSES, TARGETS).totals.tolist()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_other_processes_score_alike(reward: rerec.DualGraphReward, method: str) -> None:
    # Threads are there before the fork.
    expected = totals(reward)
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.map_async(totals, [reward] * 4).get(timeout=60)
    assert results == [expected] * 4
    assert totals(reward) == expected


def test_a_fork_of_a_fork(reward: rerec.DualGraphReward) -> None:
    totals(reward)
    child = os.fork()
    if child == 0:
        totals(reward)
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(0 if len(totals(reward)) == 400 else 1)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_everything_survives_a_pickle(run: dict[str, Any], run_reward: rerec.DualGraphReward) -> None:
    reward = pickle.loads(pickle.dumps(run_reward))
    given = {name: run[name] for name in ("queries", "targets", "candidates")}
    assessors = [rerec.Assessor(run_reward), pickle.loads(pickle.dumps(rerec.Assessor(reward)))]
    first, second = (one.assess(run["texts"], run["byte_lens"], **given) for one in assessors)
    for got, expected in zip(second.advantages, first.advantages, strict=True):
        np.testing.assert_array_equal(got, expected)
    scored = pickle.loads(pickle.dumps(first.rewards))
    np.testing.assert_array_equal(scored.totals, first.rewards.totals)
    assert scored[3].to_dict() == first.rewards[3].to_dict()
    assert pickle.loads(pickle.dumps(scored[3])).to_dict() == scored[3].to_dict()
    again = pickle.loads(pickle.dumps(first))
    assert (len(again), again.steps, again.metrics_by_query) == (len(first), first.steps, first.metrics_by_query)
    assert again.rewards[3].to_dict() == first.rewards[3].to_dict()
    for name in ("metrics", "teaches", "penalised_shares"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    for got, expected in zip(
        again.token_rewards + again.advantages, first.token_rewards + first.advantages, strict=True
    ):
        np.testing.assert_array_equal(got, expected)
    credit = pickle.loads(pickle.dumps(rerec.Credit(reward.catalogue, answer="first")))
    [credited] = credit.assign(["x"], [[1]], targets=run["targets"][:1], rewards=[1.0])
    assert credited.token_rewards.tolist() == [1.0]
    unpickled = pickle.loads(pickle.dumps(credited))
    assert (unpickled.token_rewards.tolist(), unpickled.steps) == ([1.0], credited.steps)
    fitted = rerec.LightGCN({"dimension": 2, "max_epochs": 1}).fit(["a", "b", "b"], ["x", "x", "y"])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).items, fitted.items)


def test_other_threads_go_on_meanwhile(reward: rerec.DualGraphReward) -> None:
    """A thread that counts is not held up by one long call: it is seen to count while the call is under way."""
    responses, targets = ["x " * 20_000 + "\\boxed{heat}"] * 400, [["Heat (1995)"]] * 400
    counts: list[float] = []
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            counts.append(time.monotonic())
            time.sleep(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    began = time.monotonic()
    for _ in range(5):
        reward.score(responses, targets)
    ended = time.monotonic()
    over.set()
    thread.join()
    assert sum(began < counted < ended for counted in counts) >= 2


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("letter", ["a", "é"])
def test_texts_are_read_where_they_are(reward: rerec.DualGraphReward, letter: str) -> None:
    """32 times one text of 4 MB: Python keeps the UTF-8 form of a text that is not ASCII once, nothing else is copied."""
    text = letter * (4 << 20) + "\\boxed{heat}"
    text.encode()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert reward.score([text] * 32, [["Heat"]] * 32).totals.sum() == pytest.approx(32 * 1.05)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 32 << 10  # in kB; copies would take 128 MB


def test_no_call_leaks(reward: rerec.DualGraphReward) -> None:
    """`REREC_CALLS` sets how many calls: CI makes 8,000."""
    calls = int(os.environ.get("REREC_CALLS", "8000"))
    assessor, rows = rerec.Assessor(reward), [np.ones(2), np.zeros(2)]

    def call(times: int) -> None:
        for _ in range(times):
            scored = reward.score(["é \\boxed{heat}"], [["Heat"]])
            _ = (scored.totals, scored.flags, scored[0])
            _ = rerec.advantages("raae", groups=2, token_rewards=rows)
            _ = assessor.assess(["ab", "cd"], [[1, 1], [2]], queries=[1, 1], targets=[["Heat"]] * 2).advantages
            with pytest.raises(rerec.RewardError):
                reward.score(["x"], [["Alien"]])

    call(calls // 40)
    before = resident()
    call(calls // 4)
    # In a million calls sixteen bytes a round would be seen, in these two kilobytes.
    assert resident() - before < 4 << 20
