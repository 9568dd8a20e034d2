"""A graph of items and attributes, beside networkx."""

import tempfile
from pathlib import Path

import networkx
import numpy as np
from measure import Measure

import rerec

ITEMS, ATTRIBUTES = 1000, 10


def run(measure: Measure) -> None:
    titles = [f"Night Train to Station {number} (19{number % 100:02})" for number in range(ITEMS)]
    catalogue = rerec.Catalogue(titles)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.gexf"
        networkx.write_gexf(drawn(titles), path)

        def ours() -> rerec.AttributeGraph:
            return rerec.AttributeGraph.read(path, catalogue)

        def theirs() -> networkx.Graph:
            return networkx.read_gexf(path)

        read, graph = ours(), theirs()
        assert all(
            sorted(value for _, value in read.attributes(title)) == sorted(graph.neighbors(title)) for title in titles
        )
        measure(f"a GEXF file of {ITEMS * ATTRIBUTES:,} edges, read", "networkx", ours, theirs)
        scores(measure, read, graph, titles)


def drawn(titles: list[str]) -> networkx.Graph:
    draw = np.random.default_rng(4)
    graph = networkx.Graph()
    for title in titles:
        for value in draw.choice(ITEMS, ATTRIBUTES, replace=False):
            graph.add_edge(title, f"value {value % 100}", relation=f"relation {value % 100 % 10}")
    return graph


def scores(measure: Measure, read: rerec.AttributeGraph, graph: networkx.Graph, titles: list[str]) -> None:
    """The query alignment score of each item with the one after it as the target."""
    pairs = list(zip(titles, titles[1:] + titles[:1], strict=True))

    def ours() -> list[float]:
        return [read.query_alignment(candidate, [target]) for candidate, target in pairs]

    def theirs() -> list[float]:
        of_target = ((set(graph[candidate]), set(graph[target])) for candidate, target in pairs)
        return [len(known & wanted) / len(wanted) for known, wanted in of_target]

    np.testing.assert_allclose(ours(), theirs(), atol=1e-12)
    measure(f"query alignment of {ITEMS:,} pairs, one call each", "networkx and sets", ours, theirs)
