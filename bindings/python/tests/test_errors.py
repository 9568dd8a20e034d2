"""Bad input is an exception that names the thing, the value and the place; never the end of the process."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rerec

CATALOGUE = rerec.Catalogue(["Heat", "Casino"])
REWARD = rerec.DualGraphReward(CATALOGUE)
ROWS = np.ones((2, 3))


def score(**changed: Any) -> Any:
    given: dict[str, Any] = {"responses": ["a"], "targets": [["Heat"]]} | changed
    return REWARD.score(**given)


def assess(**changed: Any) -> Any:
    given: dict[str, Any] = {
        "responses": ["ab", "cd"],
        "token_byte_lens": [[1, 1], [2]],
        "queries": ["q", "q"],
        "targets": [["Heat"]] * 2,
    } | changed
    return rerec.Assessor(REWARD).assess(given.pop("responses"), given.pop("token_byte_lens"), **given)


def advantages(estimator: Any = "raae", **changed: Any) -> Any:
    given: dict[str, Any] = {"groups": ["q", "q"], "token_rewards": ROWS} | changed
    return rerec.advantages(estimator, **given)


CASES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: score(responses="a"), TypeError, "responses must be a sequence, got str"),
    (lambda: score(responses=3), TypeError, "responses must be a sequence, got int"),
    (lambda: score(responses=["a", 3], targets=["Heat"] * 2), TypeError, "responses[1] must be str, got int"),
    (lambda: score(responses=[None]), TypeError, "responses[0] must be str, got NoneType"),
    (lambda: score(responses=["a\ud800"]), rerec.TextError, "responses[0] is no valid text"),
    (lambda: score(targets=[["\udc00"]]), rerec.TextError, "targets[0][0] is no valid text"),
    (lambda: score(targets=[[7]]), TypeError, "targets[0][0] must be str, got int"),
    (lambda: score(targets=[]), rerec.SettingError, "targets must have 1 entries, one per response, got 0"),
    (lambda: score(candidates=[None, None]), rerec.SettingError, "candidates must have 1 entries"),
    (lambda: score(queries=[1.5]), TypeError, "queries[0] must be str or int, got float"),
    (lambda: score(by="name"), rerec.SettingError, "by: unknown variant `name`, expected `title` or `id`"),
    (lambda: score(on_error="skip"), rerec.SettingError, "on_error: unknown variant `skip`"),
    (lambda: rerec.Catalogue([{"id": "1"}]), rerec.SettingError, "items[0]: missing field `title`"),
    (
        lambda: rerec.Catalogue([{"id": "1", "title": "x", "year": 99999}]),
        rerec.SettingError,
        "items[0].year: invalid value: integer `99999`",
    ),
    (lambda: rerec.Catalogue([{"id": "1", "title": " "}]), rerec.RewardError, "has a blank title"),
    (lambda: rerec.Catalogue([object()]), TypeError, "not JSON serializable"),
    (
        lambda: rerec.DualGraphReward(CATALOGUE, settings={"cutof": 1}),
        rerec.SettingError,
        "settings.cutof: unknown field `cutof`",
    ),
    (
        lambda: rerec.DualGraphReward(CATALOGUE, settings={"cutoff": 0}),
        rerec.RewardError,
        "cutoff must be at least 1, got 0",
    ),
    (
        lambda: rerec.DualGraphReward(CATALOGUE, rerec.AttributeGraph(rerec.Catalogue(["Up"]))),
        rerec.RewardError,
        "the graph was built for another catalogue",
    ),
    (
        lambda: rerec.ItemEmbeddings(CATALOGUE, ["Heat"], np.ones((1, 2))),
        TypeError,
        "values must be an array of float32 of shape [rows, d], got float64 of shape [1, 2]",
    ),
    (lambda: rerec.ItemEmbeddings(CATALOGUE, ["Heat"], np.ones(2, np.float32)), TypeError, "got float32 of shape [2]"),
    (
        lambda: rerec.ItemEmbeddings(CATALOGUE, ["Heat", "Up"], np.ones((1, 2), np.float32)),
        rerec.RewardError,
        "embeddings of shape [1, 2] for 2 ids",
    ),
    (
        lambda: rerec.ItemEmbeddings(CATALOGUE, ["Heat"], np.array([[np.nan]], np.float32)),
        rerec.RewardError,
        "has NaN in column 0",
    ),
    (lambda: rerec.LightGCN().fit(["a"], []), rerec.SettingError, "users and items must be of one length, got 1 and 0"),
    (lambda: rerec.LightGCN().fit([], []), rerec.RewardError, "no interaction to learn from"),
    (lambda: assess(token_byte_lens=[[1, 1]]), rerec.SettingError, "token_byte_lens must have 2 entries"),
    (
        lambda: assess(token_byte_lens=[[1, -1], [2]]),
        ValueError,
        "token_byte_lens[0][1] must be a whole number from 0 to 4294967295, got -1",
    ),
    (
        lambda: assess(token_byte_lens=[np.array([1, 1]), np.array([-2])]),
        ValueError,
        "token_byte_lens[1][0] must be a whole number",
    ),
    (lambda: assess(token_byte_lens=[[1, 1], [2.5]]), TypeError, "token_byte_lens[1][0] must be int, got float"),
    (
        lambda: assess(token_byte_lens=[[1, 1], np.array([1.5])]),
        ValueError,
        "token_byte_lens[1][0] must be a whole number from 0 to 4294967295, got 1.5",
    ),
    (
        lambda: assess(token_byte_lens=[[1, 1], [2**40]]),
        ValueError,
        "token_byte_lens[1][0] must be a whole number from 0 to 4294967295, got 1099511627776",
    ),
    (lambda: assess(token_byte_lens=[[1, 1], [2**70]]), ValueError, f"from 0 to 4294967295, got {2**70}"),
    (lambda: assess(token_byte_lens=[iter([1, -1]), [2]]), ValueError, "token_byte_lens[0][1] must be a whole number"),
    (
        lambda: assess(token_byte_lens=[[1, 1], [3]]),
        rerec.AdvantageError,
        "token byte lengths must add up to the response's 2 bytes, got 3",
    ),
    (
        lambda: assess(token_byte_lens=[[1, 1], np.ones((1, 2), int)]),
        ValueError,
        "token_byte_lens[1] must have 1 dimension(s), got shape [1, 2]",
    ),
    (
        lambda: assess(targets=[["Heat"], ["Casino"]]),
        rerec.SettingError,
        "targets and candidates of responses[1] must be those of responses[0]",
    ),
    (lambda: rerec.Assessor(REWARD, {"estimator": "gae"}), rerec.SettingError, "needs the values of a critic"),
    (
        lambda: rerec.Assessor(REWARD, {"estimator": {"estimator": "raae", "eps": -1}}),
        rerec.AdvantageError,
        "eps must be finite and at least 0, got -1",
    ),
    (
        lambda: rerec.Assessor(REWARD, {"estimator": "remax"}).assess(["a"], [[1]], queries=["q"], targets=["Heat"]),
        rerec.AdvantageError,
        "greedy response, which the group of query q does not have",
    ),
    (
        lambda: rerec.Credit(CATALOGUE, {"rules": [{"rule": "step_penalty", "min_ratio": -1}]}),
        rerec.AdvantageError,
        "min_ratio must be finite and at least 0, got -1",
    ),
    (
        lambda: rerec.Credit(CATALOGUE).assign(["a"], [[1]], targets=["Heat"], rewards=[float("nan")]),
        rerec.AdvantageError,
        "responses[0]: reward must be finite, got NaN",
    ),
    (lambda: advantages("raa"), rerec.SettingError, 'or a table such as { estimator = "grpo", eps = 1e-4 }, got "raa"'),
    (lambda: advantages({"estimator": "rloo", "eps": 1}), rerec.SettingError, "estimator: unknown field `eps`"),
    (lambda: advantages(preset="megatron"), rerec.SettingError, "preset: unknown variant `megatron`"),
    (
        lambda: advantages(groups=3),
        rerec.SettingError,
        "groups must be a divisor of the 2 responses, or one id for each, got 3",
    ),
    (
        lambda: advantages(groups=["q"]),
        rerec.AdvantageError,
        "token_rewards must have one entry for each of the 1 responses, got 2",
    ),
    (
        lambda: advantages(token_rewards=None),
        rerec.SettingError,
        "token_rewards, rewards or both must be given, got neither",
    ),
    (lambda: advantages(token_rewards=np.ones(3)), ValueError, "token_rewards must have 2 dimension(s), got shape [3]"),
    (
        lambda: advantages(token_rewards=np.ones((2, 3), complex)),
        TypeError,
        "token_rewards must hold numbers of numpy (float32, float64, integers, bool), got complex128",
    ),
    (lambda: advantages(token_rewards=np.array([["a"]])), TypeError, "got <U1"),
    (lambda: advantages(token_rewards=np.array([[None]])), TypeError, "got object"),
    (lambda: advantages(token_rewards=ROWS.astype(">f8")), TypeError, "got >f8"),
    (lambda: advantages(token_rewards=ROWS.astype(np.float16)), TypeError, "got float16"),
    (
        lambda: advantages(token_rewards=[[1.0], [2.0]]),
        TypeError,
        "token_rewards[0] must be an array of one dimension, got list",
    ),
    (
        lambda: advantages(token_rewards=np.array([[1.0, np.inf], [0, 0]])),
        rerec.AdvantageError,
        "token_rewards of response 0 must be finite, got inf at token 1",
    ),
    (
        lambda: advantages(mask=np.ones((2, 2))),
        rerec.AdvantageError,
        "mask of response 0 must have 3 entries, one per token, got 2",
    ),
    (
        lambda: advantages(mask=np.ones((3, 3))),
        rerec.AdvantageError,
        "mask must have one entry for each of the 2 responses, got 3",
    ),
    (lambda: advantages(mask=np.full((2, 3), 2)), ValueError, "mask[0][0] must be 0 or 1, got 2"),
    (lambda: advantages(mask=np.full((2, 3), np.nan)), ValueError, "mask[0][0] must be 0 or 1, got NaN"),
    (lambda: advantages(rewards=["a", "b"]), TypeError, "rewards[0] must be a number, got str"),
    (
        lambda: advantages(rewards=[1.0]),
        rerec.AdvantageError,
        "outcomes must have one entry for each of the 2 responses, got 1",
    ),
    (
        lambda: advantages("gae", rewards=[1.0, 2.0]),
        rerec.AdvantageError,
        "gae needs values, which the batch does not have",
    ),
    (lambda: advantages("remax"), rerec.AdvantageError, "remax needs baselines, which the batch does not have"),
    (lambda: rerec.Curriculum([]), rerec.CurriculumError, "the data set holds no queries"),
    (lambda: rerec.Curriculum(["a", "a"]), rerec.CurriculumError, 'query id "a" occurs more than once'),
    (lambda: rerec.Curriculum(["a"], {"tau": "high"}), rerec.SettingError, "settings.tau: invalid type"),
    (lambda: rerec.Curriculum(["a"], {"batch_size": 0}), rerec.CurriculumError, "batch_size must be at least 1"),
    (
        lambda: rerec.Curriculum(["a"], classes=[]),
        rerec.SettingError,
        "classes must have 1 entries, one per query, got 0",
    ),
    (lambda: rerec.Curriculum(["a"]).record("b", [1]), rerec.CurriculumError, 'query id "b" is not in the data set'),
    (
        lambda: rerec.Curriculum(["a"]).record("a", [2]),
        rerec.CurriculumError,
        'metric of rollout 0 of query "a" must be in [0, 1], got 2',
    ),
    (lambda: rerec.Curriculum(["a"]).record("a", [float("nan")]), rerec.CurriculumError, "must be in [0, 1], got NaN"),
    (
        lambda: rerec.Curriculum(["a"]).record("a", []),
        rerec.CurriculumError,
        'query "a" was recorded without any rollout',
    ),
    (lambda: rerec.Curriculum.load("nowhere.json"), rerec.CurriculumError, "cannot read nowhere.json: No such file"),
    (lambda: rerec.Curriculum.from_state("{"), rerec.SettingError, "state: EOF while parsing an object"),
    (
        lambda: rerec.Curriculum.from_state(rerec.Curriculum(["a"]).state() + " garbage"),
        rerec.SettingError,
        "state: trailing characters",
    ),
    (lambda: rerec.TokenBytes("{}"), rerec.TextError, "this is no tokenizer.json: missing field `model`"),
    (
        lambda: rerec.token_bytes("bert"),
        rerec.TextError,
        "tokenizer must be a tokenizer of the package tokenizers, got str",
    ),
    (lambda: rerec.evaluate({}, {"q": ["a"]}, ["mrr"]), rerec.DataError, "query q of qrels is not in run"),
    (
        lambda: rerec.evaluate({"q": ["a"], "r": ["a"]}, {"q": ["a"]}, ["mrr"]),
        rerec.DataError,
        "query r of run is not in qrels",
    ),
    (
        lambda: rerec.evaluate({"q": ["a"]}, {"q": ["a"]}, ["mr"]),
        rerec.RewardError,
        "`mr` is no metric; write one as `ndcg@10` or `mrr`",
    ),
    (lambda: rerec.evaluate({"q": ["a"]}, {"q": ["a"]}, "mrr"), TypeError, "metrics must be a sequence, got str"),
    (
        lambda: rerec.evaluate({"q": {"a": "x"}}, {"q": ["a"]}, ["mrr"]),
        TypeError,
        "run[q][a] must be a number, got str",
    ),
    (
        lambda: rerec.evaluate({"q": {"a": float("nan")}}, {"q": ["a"]}, ["mrr"]),
        rerec.DataError,
        "run[q][a] must be a number, got NaN",
    ),
    (
        lambda: rerec.evaluate({"q": ["a"]}, {"q": ["a"]}, ["mrr"], conventions="trec"),
        rerec.SettingError,
        "conventions must be",
    ),
    (
        lambda: rerec.evaluate({"q": ["a"]}, {"q": {"a": 1e200}}, ["mrr"]),
        rerec.RewardError,
        "query q: a grade must be within ±1e100, got 1000",
    ),
    (
        lambda: rerec.Dataset({"quickstar": {}}),
        rerec.SettingError,
        "source: unknown variant `quickstar`, expected one of",
    ),
    (
        lambda: rerec.Dataset(
            {"files": {"catalogue": {"file": "nowhere.jsonl"}, "queries": {"train": "nowhere.jsonl"}}}
        ),
        rerec.DataError,
        "cannot read nowhere.jsonl: No such file",
    ),
    (
        lambda: rerec.read_queries("nowhere.jsonl", CATALOGUE),
        rerec.DataError,
        "cannot read nowhere.jsonl: No such file",
    ),
]


@pytest.mark.parametrize("place", range(len(CASES)))
def test_bad_input_is_named(place: int) -> None:
    call, kind, message = CASES[place]
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)


def test_all_errors_are_value_errors_of_the_package() -> None:
    kinds = [
        rerec.AdvantageError,
        rerec.CurriculumError,
        rerec.DataError,
        rerec.RewardError,
        rerec.SettingError,
        rerec.TextError,
    ]
    assert all(issubclass(kind, rerec.Error) for kind in kinds)
    assert issubclass(rerec.Error, ValueError)
