"""Rewards by numbers that can be checked by hand."""

import math
import pickle
from pathlib import Path

import numpy as np
import pytest

import rerec

HEAT = [["Heat (1995)"]]


def test_right_wrong_and_no_answer(reward: rerec.DualGraphReward) -> None:
    scored = reward.score(["so \\boxed{heat}", "\\boxed{Casino}", "no idea"], HEAT * 3, queries=["q", "q", 7])
    # 0.1 · 0.5 + 1, 0.1 · 0.5 + 0, -0.1 · 0.5 - 0.5.
    np.testing.assert_allclose(scored.totals, [1.05, 0.05, -0.55], atol=1e-12)
    assert scored.hits.tolist() == [True, False, False]
    assert scored.flags == [[], [], ["no_box"]]
    assert np.isnan(scored.query_alignments).all()
    assert (scored[0].query, scored[2].query) == ("q", "7")
    assert scored[1].answer == ["Casino"] and scored[1].answer_ids == ["2"]
    assert scored[-1].answer is None and len(scored) == 3
    with pytest.raises(IndexError, match="there are 3 responses"):
        scored[3]


def test_graph_and_embeddings_shape_a_wrong_answer(catalogue: rerec.Catalogue) -> None:
    graph = rerec.AttributeGraph(catalogue)
    vectors = np.array([[3, 4], [4, 3], [1, 0]], np.float32)
    embeddings = rerec.ItemEmbeddings(catalogue, [1, 2, 3], vectors)
    shaped = rerec.DualGraphReward(catalogue, graph, embeddings)
    [wrong] = [shaped.score(["\\boxed{Casino}"], HEAT)[0]]
    assert wrong is not None
    # One of Heat's two genres; cos((3, 4), (4, 3)) = 24 / 25.
    assert wrong.query_alignment == 0.5
    assert wrong.preference_alignment == pytest.approx(0.96, abs=1e-6)
    assert wrong.total == pytest.approx(0.05 + 0.01 * 0.5 + 0.01 * 0.96, abs=1e-8)
    assert shaped.bounds == pytest.approx((-0.55, 1.07))


def test_items_by_title_by_id_and_joined(reward: rerec.DualGraphReward) -> None:
    answer = ["\\boxed{Casino}"]
    by_id = reward.score(answer, [["1", "2"]], [["1", "2", "3"]], by="id")
    by_title = reward.score(answer, ["Heat; Casino"], [["Heat", "Casino", "Toy Story"]])
    assert by_id.totals.tolist() == by_title.totals.tolist() == [1.05]


def test_faults_of_data_are_raised_or_named(reward: rerec.DualGraphReward) -> None:
    responses, targets = ["\\boxed{Heat}"] * 3, [["Heat"], ["Alien"], []]
    with pytest.raises(rerec.RewardError, match=r"^responses\[1\]: `Alien` is not in the catalogue$"):
        reward.score(responses, targets)
    scored = reward.score(responses, targets, on_error="nan")
    assert scored.totals[0] == 1.05 and np.isnan(scored.totals[1:]).all()
    assert scored.hits.tolist() == [True, False, False]
    assert scored.errors == {
        1: "responses[1]: `Alien` is not in the catalogue",
        2: "responses[2]: no target given, need at least one",
    }
    assert scored[1] is None
    with pytest.raises(rerec.RewardError, match="target `1` is not among the candidates"):
        reward.score(["x"], [["Heat"]], [["Casino"]])


def test_nothing_to_score(reward: rerec.DualGraphReward) -> None:
    assert len(reward.score([], [])) == 0
    assert reward.score([], []).totals.shape == (0,)


@pytest.mark.parametrize(
    "text", ["é \\boxed{Heat}", "日本 \\boxed{Heat}", "\U0001f3ac\x00 \\boxed{Heat}", "x" * 10**6 + "\\boxed{Heat}"]
)
def test_any_text_is_read(reward: rerec.DualGraphReward, text: str) -> None:
    assert reward.score([text], HEAT).totals.tolist() == [1.05]


def test_catalogue_finds_titles(catalogue: rerec.Catalogue) -> None:
    assert [catalogue.find(title) for title in ("heat", "Woody's World", "Alien")] == ["1", "3", None]
    assert "1" in catalogue and "9" not in catalogue
    twins = rerec.Catalogue([{"id": year, "title": f"Heat ({year})"} for year in ("1986", "1995")])
    with pytest.raises(rerec.RewardError, match="`Heat` stands for several items"):
        twins.find("Heat")
    assert twins.find("Heat", candidates=["1995"]) == "1995"
    with pytest.raises(rerec.RewardError, match="item 1 of the catalogue has id `Heat`, which item 0 already has"):
        rerec.Catalogue(["Heat", "Heat"])


def test_graph_files(catalogue: rerec.Catalogue, tmp_path: Path) -> None:
    path = f"{tmp_path}/graph.tsv"
    with open(path, "w") as file:
        file.write("Heat\tdirector\tMann\nCasino\tdirector\tScorsese\nHeat\tgenre\tcrime\nCasino\tgenre\tcrime\n")
    graph = rerec.AttributeGraph.read(path, catalogue)
    assert graph.query_alignment("2", ["1"]) == 0.5
    assert graph.attributes("1") == [("director", "Mann"), ("genre", "crime")]
    assert pickle.loads(pickle.dumps(graph)).attributes("1") == graph.attributes("1")
    with pytest.raises(rerec.RewardError, match=r"nowhere\.tsv"):
        rerec.AttributeGraph.read("nowhere.tsv", catalogue)


def test_embeddings_come_and_go_as_arrays(catalogue: rerec.Catalogue, tmp_path: Path) -> None:
    values = np.arange(1, 7, dtype=np.float32).reshape(3, 2)
    table = rerec.ItemEmbeddings(catalogue, ["1", "2", "3"], values[:, ::-1])
    np.testing.assert_array_equal(table.values, values[:, ::-1])
    unaligned = np.frombuffer(b"x" + values.tobytes(), np.uint8)[1:].view(np.float32).reshape(3, 2)
    np.testing.assert_array_equal(rerec.ItemEmbeddings(catalogue, ["1", "2", "3"], unaligned).values, values)
    side = (["1", "2", "3"], unaligned)
    np.testing.assert_array_equal(rerec.FittedLightGCN(side, side, [0.5], 1).items, values)
    table.write(f"{tmp_path}/vectors.safetensors")
    again = rerec.ItemEmbeddings.read(f"{tmp_path}/vectors.safetensors", catalogue)
    assert again.preference_alignment("1", ["2"]) == table.preference_alignment("1", ["2"])
    expected = np.mean(
        [
            np.dot(a, b) / math.sqrt(a @ a * (b @ b))
            for a, b in ((values[0], values[1]), (values[0], values[2]), (values[1], values[2]))
        ]
    )
    assert table.contrast(["1", "2", "3"]) == pytest.approx(expected, abs=1e-6)


def test_lightgcn_takes_and_gives_arrays() -> None:
    model = rerec.LightGCN({"dimension": 8, "max_epochs": 5, "seed": 3, "validation_fraction": 0.0})
    users, items = np.array([1, 1, 2, 2, 3]), np.array([10, 11, 10, 12, 12])
    fitted = model.fit(users, items)
    assert (fitted.user_ids, fitted.item_ids) == (["1", "2", "3"], ["10", "11", "12"])
    assert fitted.items.shape == (3, 8) and fitted.items.dtype == np.float32
    assert len(fitted.losses) == 5 and fitted.losses[-1] < fitted.losses[0]
    back = model.fit(users[::-1], [str(item) for item in items[::-1]])
    np.testing.assert_array_equal(back.items, fitted.items)
