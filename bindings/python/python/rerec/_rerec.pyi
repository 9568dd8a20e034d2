import collections.abc
import os
import typing

import numpy
import numpy.typing
from _typeshed import SupportsGetItem
from numpy import bool_, float32, float64
from numpy.typing import NDArray
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex, final

__all__ = ["Assessment", "Assessor", "AttributeGraph", "Catalogue", "Credit", "Curriculum", "Dataset", "DualGraphReward", "FittedLightGCN", "ItemEmbeddings", "LightGCN", "RewardBreakdown", "Rewards", "StepCredits", "TokenBytes", "advantages", "evaluate", "read_queries"]

@final
class Assessment:
    """
    What became of a batch of responses, in their order.
    """
    def __len__(self, /) -> int: ...
    def __reduce__(self, /) -> tuple[Any, tuple[str]]: ...
    @staticmethod
    def _from_json(json: str) -> Assessment:
        """
        From the JSON that pickle keeps.
        """
    @property
    def advantages(self, /) -> list[NDArray[float64]]:
        """
        Advantages of tokens, in the same rows.
        """
    @property
    def metrics(self, /) -> NDArray[float64]:
        """
        What a curriculum records, float64 of shape [n]; NaN where there is no reward.
        """
    @property
    def metrics_by_query(self, /) -> dict[str, list[float]]:
        """
        The metrics of the responses to each query that have one: what `Curriculum.record` takes.
        """
    def padded_advantages(self, /, width: SupportsIndex) -> "numpy.typing.NDArray[numpy.float32]":
        """
        Advantages of tokens as one float32 array of shape [n, width]; 0 behind the last token and where there is no reward.

        Raises:
            ValueError: A response has more tokens than `width`.
        """
    def padded_token_rewards(self, /, width: SupportsIndex) -> "numpy.typing.NDArray[numpy.float32]":
        """
        Rewards of tokens, in the same form.

        Raises:
            ValueError: A response has more tokens than `width`.
        """
    @property
    def penalised_shares(self, /) -> NDArray[float64]:
        """
        The share of its steps that a rule penalised, float64 of shape [n]; NaN for a response without steps.
        """
    @property
    def rewards(self, /) -> Rewards:
        """
        The rewards with all their parts.
        """
    @property
    def steps(self, /) -> Any:
        """
        The reasoning steps of each response, as `rollouts.jsonl` writes them: `span` (bytes), `kind`, `tokens` (range), `items`
        that it names, `ratio` of the reward that its tokens keep, `penalised`, mean `advantage`.
        """
    @property
    def teaches(self, /) -> NDArray[bool_]:
        """
        Whether any advantage in the response's group is not 0, bool of shape [n].
        """
    @property
    def token_rewards(self, /) -> list[NDArray[float64]]:
        """
        Rewards of tokens, one float64 array of shape [tokens] per response; empty where there is no reward.
        """

@final
class Assessor:
    """
    Reward, step credit, advantages and curriculum metric of groups of responses in one call: the method of the paper between
    a sampler and an optimiser, as `rerec train` runs it.

    Args:
        reward: What scores the responses.
        settings: Any of `estimator` (`"raae"`), `credit`, `penalty`, `parts`, `overlong`, `length` and `curriculum_metric`
            (`"reward"`), as in the section of a run's configuration.

    Raises:
        SettingError: An unknown setting; settings that exclude each other; an estimator that needs a critic.
        AdvantageError: A setting of credit or estimator out of range.

    Example:
        >>> assessor = Assessor(DualGraphReward(Catalogue(["Heat (1995)", "Casino (1995)"])))
        >>> assessed = assessor.assess(
        ...     ["Heat.\\n\\\\boxed{Heat}", "Casino.\\n\\\\boxed{Casino}"], [[6, 12], [8, 14]],
        ...     queries=["q1", "q1"], targets=[["Heat (1995)"]] * 2,
        ... )
        >>> [row.round(4).tolist() for row in assessed.token_rewards]  # naming the wrong item keeps 0.7 of 0.05
        [[1.05, 1.05], [0.035, 0.05]]
    """
    def __getnewargs__(self, /) -> tuple[DualGraphReward, Any]: ...
    def __new__(cls, /, reward: DualGraphReward, settings: "collections.abc.Mapping[str, object] | None" = None) -> Assessor: ...
    def assess(self, /, responses: "collections.abc.Iterable[str]", token_byte_lens: "collections.abc.Iterable[collections.abc.Iterable[int] | numpy.typing.NDArray[numpy.integer[typing.Any]]]", *, queries: "collections.abc.Iterable[str | int]", targets: "collections.abc.Iterable[str | collections.abc.Iterable[str]]", candidates: "collections.abc.Iterable[collections.abc.Iterable[str] | None] | None" = None, greedy: "collections.abc.Iterable[str] | None" = None, by: "str" = "title") -> Assessment:
        """
        Scores responses, credits their steps and estimates the advantage of each token, on all threads.

        A response whose query's data are at fault is named in `rewards.errors` and left out of everything else.

        Args:
            responses: What the model wrote, n texts; they are read where they are.
            token_byte_lens: UTF-8 bytes of its text that each sampled token holds, one sequence per response; special tokens hold 0.
                `TokenBytes` gives them.
            queries: The query of each response; responses of one query are compared with each other, wherever they stand.
            targets: The right items of each response: a list of titles, or one text such as `"Heat; Casino"`.
            candidates: The items to choose from of each response, or `None` where that is the whole catalogue.
            greedy: For ReMax alone: the greedy response to the query of each response.
            by: What targets and candidates are named by: `"title"` or `"id"`.

        Raises:
            AdvantageError: Byte lengths that do not add up to a response's bytes.
            ValueError: A negative byte length.
            SettingError: Not one entry per response; responses of one query with different targets or candidates.
        """
    @property
    def metric_range(self, /) -> tuple[float, float]:
        """
        Least and largest value of the curriculum metric: the range of a curriculum's `metric`.
        """
    @property
    def needs_greedy_responses(self, /) -> bool:
        """
        Whether the estimator compares with greedy responses, as ReMax does.
        """
    @property
    def reward(self, /) -> DualGraphReward:
        """
        What scores the responses.
        """
    @property
    def settings(self, /) -> Any:
        """
        The settings, with the defaults of those that were not given.
        """

@final
class AttributeGraph:
    """
    Which attributes the items of a catalogue have: what the query alignment score compares.

    Args:
        catalogue: The items; the graph is that of their attributes.
        alignment: `{"weighting": "uniform" | "inverse_degree", "missing": "error" | {"score": float}}`, each with the first as
            its default.

    Raises:
        SettingError: An unknown setting.
        RewardError: A score for missing data outside [-1, 1].

    Example:
        >>> crime, drama = ({"relation": "genre", "value": genre} for genre in ("Crime", "Drama"))
        >>> catalogue = Catalogue([
        ...     {"id": "1", "title": "Heat", "attributes": [crime, drama]},
        ...     {"id": "2", "title": "Casino", "attributes": [crime]},
        ... ])
        >>> AttributeGraph(catalogue).query_alignment("2", ["1"])
        0.5
    """
    def __getnewargs__(self, /) -> tuple[Catalogue, Any]: ...
    def __new__(cls, /, catalogue: Catalogue, alignment: "collections.abc.Mapping[str, object] | None" = None) -> AttributeGraph: ...
    def attributes(self, /, item: str) -> list[tuple[str, str]]:
        """
        The attributes of an item: (relation, value).
        """
    def query_alignment(self, /, candidate: str, targets: "collections.abc.Iterable[str]") -> float:
        """
        The share of the attributes common to all targets that the candidate has, in [0, 1].

        Raises:
            RewardError: An unknown id, no target, or targets without a common attribute.
        """
    @staticmethod
    def read(path: "str | os.PathLike[str]", catalogue: Catalogue, by: "str" = "title", alignment: "collections.abc.Mapping[str, object] | None" = None) -> AttributeGraph:
        """
        Reads a graph: .gexf, .tsv (item, attribute or item, relation, attribute) or .jsonl of triples.

        Args:
            path: The file.
            catalogue: The items to which its facts are joined.
            by: What the file calls items by: `"title"` (in any spelling) or `"id"`.
            alignment: As in the constructor.

        Raises:
            RewardError: The file cannot be read; none of its items is in the catalogue.
        """

@final
class Catalogue:
    """
    The items that can be recommended, each with an id that no other has.

    Args:
        items: Titles, which are then ids too, or dicts with the keys `id`, `title` and, where they are known, `aliases` (list
            of str), `year` (int) and `attributes` (list of `{"relation": str, "value": str}`).

    Raises:
        RewardError: An id comes twice, or an id, title, alias or attribute is blank.
        SettingError: A dict with an unknown key or a value of another type.

    Example:
        >>> catalogue = Catalogue(["Heat (1995)", "Casino (1995)"])
        >>> len(catalogue), catalogue.find("heat")
        (2, 'Heat (1995)')
    """
    def __contains__(self, id: str, /) -> bool: ...
    def __getnewargs__(self, /) -> tuple[Any]: ...
    def __len__(self, /) -> int: ...
    def __new__(cls, /, items: "collections.abc.Iterable[str | collections.abc.Mapping[str, object]]") -> Catalogue: ...
    def __repr__(self, /) -> str: ...
    def find(self, /, title: str, candidates: "collections.abc.Iterable[str] | None" = None) -> str | None:
        """
        The id of the item that a text names, by its title in any spelling that the reward accepts: another place of the article,
        no year, no accents, an alternative title. `None` for an unknown title.

        Args:
            title: The text.
            candidates: Ids of the items to choose from; they tell items of one title apart.

        Raises:
            RewardError: Several items have this title; a candidate is not in the catalogue.
        """
    @property
    def ids(self, /) -> list[str]:
        """
        The ids of all items, in their order.
        """
    @property
    def items(self, /) -> Any:
        """
        The items as dicts, in their order; a catalogue is made of them again.
        """
    @staticmethod
    def read(path: "str | os.PathLike[str]") -> Catalogue:
        """
        Reads a catalogue, one item as a JSON object a line.

        Raises:
            DataError: The file cannot be read, or a line is no item; the message names the line.
        """

@final
class Credit:
    """
    The reasoning steps of responses, the items that each names, and what each token keeps of a reward that comes from elsewhere.

    An answer is right if the first item in its box is a target. Where it is wrong, a step that names an item of the box keeps the
    least ratio of the reward (0.7 unless set otherwise).

    Args:
        catalogue: The items whose names are looked for.
        settings: Any of `split` (list of `"paragraph"`, `"sentence"`, `"step"`, `"think"`), `mentions` (`"title"`, `"substring"`,
            `"substring_ignore_case"`) and `rules` (list of `"step_penalty"`, `"decrease"` or dicts such as
            `{"rule": "step_penalty", "on": "verdicts"}`).
        answer: Which box is the answer: `"last"` or `"first"`.
        title_match: How titles are compared: `"title"` or `"exact"`.

    Raises:
        SettingError: An unknown setting.
        AdvantageError: A setting out of range.

    Example:
        >>> credit = Credit(Catalogue(["Heat (1995)", "Casino (1995)"]))
        >>> [credited] = credit.assign(["Casino.\\n\\\\boxed{Casino}"], [[8, 14]], targets=["Heat (1995)"], rewards=[1.0])
        >>> credited.token_rewards.tolist(), credited.steps[0]["penalised"]
        ([0.7, 1.0], True)
    """
    def __getnewargs_ex__(self, /) -> tuple[tuple[Catalogue, Any], dict[str, Any]]: ...
    def __new__(cls, /, catalogue: Catalogue, settings: "collections.abc.Mapping[str, object] | None" = None, *, answer: "str" = "last", title_match: "str" = "title") -> Credit: ...
    def assign(self, /, responses: "collections.abc.Iterable[str]", token_byte_lens: "collections.abc.Iterable[collections.abc.Iterable[int] | numpy.typing.NDArray[numpy.integer[typing.Any]]]", *, targets: "collections.abc.Iterable[str | collections.abc.Iterable[str]]", rewards: "collections.abc.Iterable[float] | numpy.typing.NDArray[typing.Any]", candidates: "collections.abc.Iterable[collections.abc.Iterable[str] | None] | None" = None, by: "str" = "title") -> list[StepCredits]:
        """
        Credits the steps of responses, on all threads.

        Args:
            responses: What the model wrote, n texts.
            token_byte_lens: UTF-8 bytes of its text that each sampled token holds, one sequence per response.
            targets: The right items of each response: a list of titles, or one text such as `"Heat; Casino"`.
            rewards: The reward of each response, [n].
            candidates: The items to choose from of each response; a name is then not taken for a shorter one inside it.
            by: What targets and candidates are named by: `"title"` or `"id"`.

        Raises:
            AdvantageError: Byte lengths that do not add up to a response's bytes; a reward that is not finite.
            RewardError: A target or candidate that is unknown or ambiguous.
            ValueError: A negative byte length.
            SettingError: Not one entry per response.
        """

@final
class Curriculum:
    """
    Which queries come next, by what the model made of them: easy ones first, mastered ones aside, tried again later.

    Queries are known by ids, never by places: records may arrive in any order and from any thread.

    Args:
        queries: Ids of all queries, str or int.
        settings: Any of `tau` (0.1), `batch_size` (512), `metric` (`{"lowest": 0, "highest": 1, "rescale": False}`), `difficulty`
            (`"mean"`, `"ema"`, `"beta"`, `"spread"`), `order` (`"easy_first"`, `"hard_first"`, `"frontier"`, `"progress"`, `"random"`),
            `recheck`, `too_few`, `partial_batch`, `warmup_epochs`, `quotas`, `seed`, as in a run's `[curriculum]`.
        classes: A class for each query, for quotas and statistics.

    Raises:
        SettingError: An unknown setting; not one class per query.
        CurriculumError: A setting out of range; no query; an id that comes twice.

    Example:
        >>> curriculum = Curriculum(["a", "b"], {"batch_size": 2})
        >>> curriculum.next_batch()
        ['a', 'b']
        >>> curriculum.record("a", [1.0, 1.0]); curriculum.record("b", [0.0, 1.0])
        >>> curriculum.end_epoch()["newly_mastered"], curriculum.difficulty("b"), curriculum.next_batch()
        (1, 0.5, ['a', 'b'])
    """
    def __len__(self, /) -> int: ...
    def __new__(cls, /, queries: "collections.abc.Iterable[str | int]", settings: "collections.abc.Mapping[str, object] | None" = None, *, classes: "collections.abc.Iterable[str] | None" = None) -> Curriculum: ...
    def __reduce__(self, /) -> tuple[Any, tuple[str]]: ...
    def difficulty(self, /, query: "str | int") -> float:
        """
        Difficulty of a query: 1 until it is tried.

        Raises:
            CurriculumError: An unknown id.
        """
    def end_epoch(self, /) -> Any:
        """
        Ends the epoch: updates difficulties by what was recorded, sets mastered queries aside, plans the next epoch. Returns the
        statistics of the epoch, as `epochs.jsonl` writes them.
        """
    @property
    def epoch(self, /) -> int:
        """
        The epoch being served, from 1.
        """
    @staticmethod
    def from_state(state: str) -> Curriculum:
        """
        From the text that `state` gave.

        Raises:
            SettingError: The text is no state.
        """
    @property
    def is_finished(self, /) -> bool:
        """
        Whether this epoch serves nothing: too few queries are left, and the settings say to stop then.
        """
    def is_mastered(self, /, query: "str | int") -> bool:
        """
        Whether a query is set aside as mastered.

        Raises:
            CurriculumError: An unknown id.
        """
    @staticmethod
    def load(path: "str | os.PathLike[str]") -> Curriculum:
        """
        Reads a state that `save` wrote; it goes on exactly where that one stood.

        Raises:
            CurriculumError: The file cannot be read, is damaged, or comes from a later version.
        """
    def next_batch(self, /) -> list[str] | None:
        """
        The ids of the next batch of this epoch; `None` at its end.
        """
    @property
    def queries(self, /) -> list[str]:
        """
        Ids of all queries, in their order.
        """
    def reconcile(self, /, queries: "collections.abc.Iterable[str | int]", *, classes: "collections.abc.Iterable[str] | None" = None) -> tuple[list[str], list[str]]:
        """
        Goes on with a data set in which queries were added, removed or re-ordered. Returns the ids that were added and removed.

        Raises:
            CurriculumError: As in the constructor; the curriculum is unchanged then.
        """
    def reconfigure(self, /, settings: "collections.abc.Mapping[str, object]") -> None:
        """
        Goes on with other settings from the next epoch on.

        Raises:
            SettingError: An unknown setting.
            CurriculumError: A setting out of range.
        """
    def record(self, /, query: "str | int", metrics: "collections.abc.Iterable[float] | numpy.typing.NDArray[typing.Any]") -> None:
        """
        Records the metric of each rollout of a query in this epoch; several records of one query are one round of all of them.

        Args:
            query: Its id.
            metrics: One number per rollout, in the range of the settings' `metric`.

        Raises:
            CurriculumError: An unknown id; no number; a number that is NaN or out of range.
        """
    def restore(self, /, state: str) -> None:
        """
        Goes back to a state that `state` gave: whoever holds this curriculum goes on from there.

        Raises:
            SettingError: The text is no state; the curriculum is unchanged then.
        """
    def save(self, /, path: "str | os.PathLike[str]") -> None:
        """
        Writes the state to a file, whole or not at all; `rerec curriculum --state` and `rerec train` read it too.

        Raises:
            CurriculumError: The file cannot be written.
        """
    def serve_more(self, /, most: SupportsIndex) -> list[str]:
        """
        Serves the first queries of `upcoming` beside the batches, at most so many.
        """
    @property
    def settings(self, /) -> Any:
        """
        The settings.
        """
    def state(self, /) -> str:
        """
        The state as text, for a checkpoint of another trainer.
        """
    def steps_left(self, /, epochs: SupportsIndex) -> int:
        """
        Batches that are left until the end of so many epochs, if the pool stays as it is.
        """
    @property
    def upcoming(self, /) -> list[str]:
        """
        Ids that this epoch has still to serve, in order.
        """
    def withdraw_upcoming(self, /) -> None:
        """
        Withdraws what this epoch has still to serve: for a caller that chooses by itself what is tried.
        """

@final
class Dataset:
    """
    Catalogue, ratings and queries, read or composed from a source.

    Args:
        source: Where they come from, as in a run's `[data]`: `{"quickstart": {...}}` (an invented world), `{"movielens": {...}}`,
            `{"catalogue": {...}}` (queries composed on a table of one's own), `{"files": {...}}`, `{"recbench": {...}}`,
            `{"verl": {...}}` or `{"amazon": {...}}`.
        seed: Decides every random choice.

    Raises:
        SettingError: An unknown source or setting.
        DataError: A setting out of range; a file that is missing or malformed, by its place; a source that offers too little.

    Example:
        >>> world = Dataset({"quickstart": {"queries": {"train": 30, "validation": 5, "test": 5}}}, seed=7)
        >>> len(world.train), sorted(world.train[0])[:4]
        (30, ['candidates', 'class', 'conditions', 'conversation'])
    """
    def __new__(cls, /, source: "collections.abc.Mapping[str, object]", seed: SupportsIndex = 0) -> Dataset: ...
    @property
    def catalogue(self, /) -> Catalogue:
        """
        The items.
        """
    @property
    def choices(self, /) -> tuple[list[str], list[str]]:
        """
        Who chose what, for `LightGCN.fit`: users and items, of one length.
        """
    @property
    def demonstrations(self, /) -> Any:
        """
        Answers to training queries for a supervised warm start: `query`, `conversation`, `response`.
        """
    @property
    def remarks(self, /) -> list[str]:
        """
        What the reader of a run should know: parts that are missing, rows that were left out.
        """
    @property
    def test(self, /) -> Any:
        """
        Queries for reporting.
        """
    @property
    def train(self, /) -> Any:
        """
        Queries to train on, as dicts: `id`, `class`, `conversation` (messages), `targets` (ids) and, where there are any,
        `candidates`, `conditions`, `history`, `user`, `time`.
        """
    @property
    def validation(self, /) -> Any:
        """
        Queries for choosing settings.
        """
    def write(self, /, folder: "str | os.PathLike[str]", format: "str" = "jsonl", name: "str" = "rerec") -> list[Path]:
        """
        Writes the data set into a folder.

        Args:
            folder: Where to; it is made if it is not there.
            format: `"jsonl"` or `"parquet"`; `"verl"` or `"verl_parquet"` for records that verl trains on.
            name: What records for verl carry as `data_source`.

        Returns:
            The files.

        Raises:
            DataError: A file cannot be written.
        """

@final
class DualGraphReward:
    """
    The dual-graph reward r = w_f · format + NDCG@K + w_1 · QAS + w_2 · PAS (ReRec, arXiv 2604.07851).

    Args:
        catalogue: The items that answers are read against.
        graph: For the query alignment score QAS; without it that part is absent.
        embeddings: For the preference alignment score PAS; without them that part is absent.
        settings: Any of `weights` (`{"format": 0.1, "query": 0.01, "preference": 0.01}`), `cutoff` (K, 1), `answer` (`"last"` or
            `"first"` box), `title_match` (`"title"` or `"exact"`), `alignment` (`"first"`, `"mean"`, `"discounted"`) and
            `without_answer` (-0.5).

    Raises:
        SettingError: An unknown setting.
        RewardError: A setting out of range; a graph or embeddings of another catalogue.

    Example:
        >>> reward = DualGraphReward(Catalogue(["Heat (1995)", "Casino (1995)"]))
        >>> reward.score(["so \\\\boxed{heat}", "no idea"], [["Heat (1995)"]] * 2).totals.round(4).tolist()
        [1.05, -0.55]
    """
    def __getnewargs__(self, /) -> tuple[Catalogue, AttributeGraph | None, ItemEmbeddings | None, Any]: ...
    def __new__(cls, /, catalogue: Catalogue, graph: AttributeGraph | None = None, embeddings: ItemEmbeddings | None = None, settings: "collections.abc.Mapping[str, object] | None" = None) -> DualGraphReward: ...
    @property
    def bounds(self, /) -> tuple[float, float]:
        """
        Least and largest total.
        """
    @property
    def catalogue(self, /) -> Catalogue:
        """
        The catalogue that answers are read against.
        """
    def score(self, /, responses: "collections.abc.Iterable[str]", targets: "collections.abc.Iterable[str | collections.abc.Iterable[str]]", candidates: "collections.abc.Iterable[collections.abc.Iterable[str] | None] | None" = None, *, queries: "collections.abc.Iterable[str | int] | None" = None, by: "str" = "title", on_error: "str" = "raise") -> Rewards:
        """
        Scores responses, on all threads.

        Args:
            responses: What the model wrote, n texts; they are read where they are.
            targets: The right items of each response: a list of titles, or one text such as `"Heat; Casino"`.
            candidates: The items to choose from of each response, or `None` where that is the whole catalogue.
            queries: Ids of the queries, which the breakdowns repeat.
            by: What targets and candidates are named by: `"title"`, in any spelling, or `"id"`.
            on_error: What becomes of a response whose query's data are at fault: `"raise"`, or `"nan"`, which makes its numbers NaN
                and keeps the message in `errors`. What a model does wrongly is no error but a flag.

        Raises:
            TypeError: A response is no str.
            TextError: A response holds a lone surrogate.
            SettingError: Not one entry per response.
            RewardError: A target is unknown, ambiguous, or not among the candidates; no target; nothing known of it.
        """

@final
class FittedLightGCN:
    """
    What training gave: one vector per user and item, those of the epoch that ranked held-out pairs best.
    """
    def __getnewargs__(self, /) -> tuple[tuple[list[str], NDArray[float32]], tuple[list[str], NDArray[float32]], list[float], int]: ...
    def __new__(cls, /, users: "tuple[list[str], numpy.typing.NDArray[numpy.float32]]", items: "tuple[list[str], numpy.typing.NDArray[numpy.float32]]", losses: SupportsGetItem[int, SupportsFloat | SupportsIndex], best_epoch: SupportsIndex) -> FittedLightGCN:
        """
        From its parts, as pickle keeps them.
        """
    @property
    def best_epoch(self, /) -> int:
        """
        The epoch whose vectors these are, from 1.
        """
    @property
    def item_ids(self, /) -> list[str]:
        """
        Ids of the items, row by row.
        """
    @property
    def items(self, /) -> NDArray[float32]:
        """
        Vectors of the items, a copy of shape [items, d].
        """
    @property
    def losses(self, /) -> list[float]:
        """
        Mean loss of each epoch.
        """
    @property
    def user_ids(self, /) -> list[str]:
        """
        Ids of the users, row by row.
        """
    @property
    def users(self, /) -> NDArray[float32]:
        """
        Vectors of the users, a copy of shape [users, d].
        """

@final
class ItemEmbeddings:
    """
    Vectors of items: what the preference alignment score compares.

    Args:
        catalogue: The items.
        ids: Item ids, one per row; rows of items that the catalogue lacks are left out.
        values: The vectors, float32 of shape [rows, d], finite.
        similarity: `{"similarity": "cosine" | "centred_cosine", "missing": "error" | {"score": float}}`, each with the first as
            its default.

    Raises:
        TypeError: `values` is no array of float32.
        RewardError: Not one id per row; an id twice; a value that is not finite; a vector of length 0; no id of the catalogue.

    Example:
        >>> catalogue = Catalogue(["a", "b"])
        >>> values = numpy.array([[3, 4], [1, 0]], numpy.float32)
        >>> round(ItemEmbeddings(catalogue, ["a", "b"], values).preference_alignment("a", ["b"]), 6)
        0.6
    """
    def __getnewargs__(self, /) -> tuple[Catalogue, list[str], NDArray[float32], Any]: ...
    def __len__(self, /) -> int: ...
    def __new__(cls, /, catalogue: Catalogue, ids: "collections.abc.Iterable[str | int]", values: "numpy.typing.NDArray[numpy.float32]", similarity: "collections.abc.Mapping[str, object] | None" = None) -> ItemEmbeddings: ...
    def contrast(self, /, items: "collections.abc.Iterable[str]") -> float:
        """
        Mean similarity of two different items of these. Above 0.6 a preference score is little more than a bonus for what is
        popular: take `centred_cosine` then.

        Raises:
            RewardError: Fewer than two items, an unknown id, or an item without a vector.
        """
    @property
    def ids(self, /) -> list[str]:
        """
        The ids, row by row.
        """
    def preference_alignment(self, /, candidate: str, targets: "collections.abc.Iterable[str]") -> float:
        """
        Best similarity of the candidate to a target, in [-1, 1].

        Raises:
            RewardError: An unknown id, no target, or an item without a vector.
        """
    @staticmethod
    def read(path: "str | os.PathLike[str]", catalogue: Catalogue, similarity: "collections.abc.Mapping[str, object] | None" = None) -> ItemEmbeddings:
        """
        Reads vectors: .safetensors with ids, .npy with .ids beside it, or .tsv.

        Raises:
            RewardError: The file cannot be read, or as in the constructor.
        """
    @property
    def values(self, /) -> NDArray[float32]:
        """
        The vectors as they were given, a copy of shape [rows, d].
        """
    def write(self, /, path: "str | os.PathLike[str]") -> None:
        """
        Writes the vectors with their ids: .safetensors or .tsv.
        """

@final
class LightGCN:
    """
    A light graph convolution network on who chose what (He et al. 2020): vectors of users and items whose products rank well.

    Args:
        settings: Any of `dimension` (default 64), `layers` (3), `learning_rate` (0.005), `batch_size` (2048), `max_epochs`,
            `patience`, `validation_fraction`, `seed` and the further settings of a run's `[embeddings.lightgcn]`.

    Raises:
        SettingError: An unknown setting.
        RewardError: A setting out of range.

    Example:
        >>> model = LightGCN({"dimension": 8, "max_epochs": 2, "seed": 7})
        >>> model.fit(["ann", "ann", "bob"], ["heat", "thief", "heat"]).items.shape
        (2, 8)
    """
    def __getnewargs__(self, /) -> tuple[Any]: ...
    def __new__(cls, /, settings: "collections.abc.Mapping[str, object] | None" = None) -> LightGCN: ...
    def fit(self, /, users: "collections.abc.Iterable[str | int] | numpy.typing.NDArray[numpy.integer[typing.Any]]", items: "collections.abc.Iterable[str | int] | numpy.typing.NDArray[numpy.integer[typing.Any]]") -> FittedLightGCN:
        """
        Trains on pairs: `users[i]` chose `items[i]`. The result depends on settings and pairs alone, not on their order, nor on the
        number of threads.

        Args:
            users: Ids, str or int; an array of integers too.
            items: Ids of the same length.

        Raises:
            RewardError: No pair; training diverged.
            SettingError: Not as many users as items.
        """

@final
class RewardBreakdown:
    """
    The reward of one response with all its parts.
    """
    def __reduce__(self, /) -> tuple[Any, tuple[str]]: ...
    def __repr__(self, /) -> str: ...
    @staticmethod
    def _from_json(json: str) -> RewardBreakdown:
        """
        From the JSON that pickle keeps.
        """
    @property
    def answer(self, /) -> list[str] | None:
        """
        What the answer lists, as it is written; `None` without an answer.
        """
    @property
    def answer_ids(self, /) -> list[str | None] | None:
        """
        Ids of the items that the answer lists, `None` for what stands for no item; `None` without an answer.
        """
    @property
    def flags(self, /) -> list[str]:
        """
        What the model did wrongly, each once.
        """
    @property
    def format(self, /) -> float:
        """
        +0.5 with an answer, -0.5 without.
        """
    @property
    def hit(self, /) -> bool:
        """
        Whether a target is among the first K of the answer.
        """
    @property
    def ndcg(self, /) -> float:
        """
        NDCG@K of the answer; 0 without one.
        """
    @property
    def preference_alignment(self, /) -> float | None:
        """
        Preference alignment score; `None` without embeddings.
        """
    @property
    def query(self, /) -> str:
        """
        Id of the query.
        """
    @property
    def query_alignment(self, /) -> float | None:
        """
        Query alignment score; `None` without a graph.
        """
    @property
    def ranking(self, /) -> float:
        """
        The ranking term: NDCG@K or, without an answer, what the settings say.
        """
    def to_dict(self, /) -> Any:
        """
        All of it as a dict, as `rollouts.jsonl` writes it.
        """
    @property
    def total(self, /) -> float:
        """
        The reward.
        """

@final
class Rewards:
    """
    The rewards of a batch of responses, in their order.
    """
    def __getitem__(self, place: SupportsIndex, /) -> RewardBreakdown | None:
        """
        The breakdown of a response, or `None` where it could not be scored.
        """
    def __len__(self, /) -> int: ...
    def __reduce__(self, /) -> tuple[Any, tuple[str]]: ...
    @staticmethod
    def _from_json(json: str) -> Rewards:
        """
        From the JSON that pickle keeps.
        """
    @property
    def errors(self, /) -> dict[int, str]:
        """
        Why responses could not be scored, by their place.
        """
    @property
    def flags(self, /) -> list[list[str]]:
        """
        What each model did wrongly, such as `["unknown_item"]`, one list per response.
        """
    @property
    def formats(self, /) -> NDArray[float64]:
        """
        +0.5 with an answer, -0.5 without, [n].
        """
    @property
    def hits(self, /) -> NDArray[bool_]:
        """
        Whether a target is among the first K of the answer, bool of shape [n]; False where a response could not be scored.
        """
    @property
    def ndcgs(self, /) -> NDArray[float64]:
        """
        NDCG@K, in [0, 1]; 0 without an answer, [n].
        """
    @property
    def preference_alignments(self, /) -> NDArray[float64]:
        """
        Preference alignment scores, [n]; NaN without embeddings.
        """
    @property
    def query_alignments(self, /) -> NDArray[float64]:
        """
        Query alignment scores, [n]; NaN without a graph.
        """
    @property
    def totals(self, /) -> NDArray[float64]:
        """
        The rewards, float64 of shape [n]; NaN where a response could not be scored, as in all arrays of float64 here.
        """

@final
class StepCredits:
    """
    What the steps of one response earned.
    """
    def __reduce__(self, /) -> tuple[Any, tuple[str]]: ...
    @staticmethod
    def _from_json(json: str) -> StepCredits:
        """
        From the JSON that pickle keeps.
        """
    @property
    def steps(self, /) -> Any:
        """
        The steps that are not blank: `span` and `content` (bytes), `kind`, `text`, `items` that it names, `ratio` of the reward
        that its tokens keep, `penalised`, number of `tokens`.
        """
    @property
    def token_rewards(self, /) -> NDArray[float64]:
        """
        The reward of each token, float64 of shape [tokens].
        """

@final
class TokenBytes:
    """
    The bytes that each token of a tokenizer adds to a text. Sampled ids are the truth: no text is tokenised again, and no token is
    decoded by itself, which would lose half characters.

    Args:
        tokenizer: The JSON of a `tokenizers` tokenizer: of byte-level BPE (GPT-2, Llama 3, Qwen), in the style of SentencePiece (Llama
            2, Mistral, Gemma) or of WordPiece (BERT). `rerec.token_bytes` takes the tokenizer itself.
        vocab_size: The ids that the model has, where they are more than its tokenizer's tokens: those beyond them hold no bytes.

    Raises:
        TextError: The JSON is no tokenizer's, or its decoder is of none of these kinds.

    Example:
        >>> tokens = TokenBytes('{"decoder": {"type": "ByteLevel"}, "model": {"vocab": {"Up": 0, "\\u0120we": 1}}}')
        >>> texts, byte_lens = tokens.decode([[0, 1]])
        >>> texts, byte_lens[0].tolist()
        (['Up we'], [2, 3])
    """
    def __getnewargs__(self, /) -> tuple[str, int | None]: ...
    def __len__(self, /) -> int: ...
    def __new__(cls, /, tokenizer: "str", vocab_size: "int | None" = None) -> TokenBytes: ...
    def decode(self, /, ids: "collections.abc.Iterable[collections.abc.Iterable[int] | numpy.typing.NDArray[numpy.integer[typing.Any]]]") -> "tuple[list[str], list[numpy.typing.NDArray[numpy.uint32]]]":
        """
        The texts of sampled tokens, and the UTF-8 bytes of them that each token holds: they add up to the text's. Bytes that are
        no UTF-8 are read as U+FFFD.

        Args:
            ids: The sampled ids of each response; special tokens hold no bytes.

        Returns:
            The texts, and one uint32 array of shape [tokens] per text.

        Raises:
            TextError: An id that is no token's and not below `vocab_size`.
            ValueError: A negative id.
        """

def advantages(estimator: "str | collections.abc.Mapping[str, object]", *, groups: "int | collections.abc.Iterable[str | int]", token_rewards: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[numpy.typing.NDArray[typing.Any]] | None" = None, rewards: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[float] | None" = None, mask: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[numpy.typing.NDArray[typing.Any]] | None" = None, values: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[numpy.typing.NDArray[typing.Any]] | None" = None, baselines: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[float] | None" = None, hits: "numpy.typing.NDArray[typing.Any] | collections.abc.Iterable[bool] | None" = None, preset: "str | None" = None) -> "typing.Any":
    """
    The advantage of each token from the rewards of grouped responses. Statistics are computed in float64.

    Rows of tokens are one array of shape [n, T], padded, with a mask; or a list of n arrays of shape [tokens]. The result has the form
    of `token_rewards` or, without them, of the mask: float32 if all these are float32, else float64. With `rewards` alone it is one
    number per response. Masked tokens get 0.

    Args:
        estimator: `"raae"` (the paper's), `"grpo"`, `"dr_grpo"`, `"rloo"`, `"opo"`, `"gpg"`, `"pass_k"`, `"reinforce_pp"`,
            `"reinforce_pp_baseline"`, `"remax"`, `"gae"`; or a dict with its settings, such as `{"estimator": "grpo", "eps": 1e-4}`.
        groups: The query of each response, n ids; or the number of responses that each query has in turn.
        token_rewards: The reward of each token. Estimators of outcomes take their sum where `rewards` are not given.
        rewards: The reward of each response, [n].
        mask: 1 for tokens that count, 0 for others, in the form of `token_rewards`.
        values: What a critic says of each token: GAE alone.
        baselines: The reward of the greedy response to each response's query, [n]: ReMax alone.
        hits: Whether each response is right, [n]: needed only where groups without a right answer take another standard deviation
            than their own (`over = "batch_without_hit"`).
        preset: Conventions of another system: `"verl"` (the defaults), `"trl"` or `"openrlhf"`.

    Raises:
        TypeError: An array of another type than numbers.
        ValueError: An array of another number of dimensions; a mask that holds anything but 0 and 1.
        SettingError: An unknown estimator or setting; neither kind of rewards.
        AdvantageError: A setting out of range; arrays that do not fit together; a reward that is not finite; an input that the
            estimator needs and was not given.

    Example:
        >>> advantages({"estimator": "raae", "eps": 0}, groups=2, token_rewards=[numpy.array([1., 2.]), numpy.array([3.])])
        [array([-1.,  0.]), array([1.])]
    """

def evaluate(run: "collections.abc.Mapping[str, collections.abc.Mapping[str, float] | collections.abc.Sequence[str]]", qrels: "collections.abc.Mapping[str, collections.abc.Mapping[str, float] | collections.abc.Sequence[str]]", metrics: "collections.abc.Iterable[str]", *, conventions: "str | collections.abc.Mapping[str, object] | None" = None, per_query: "bool" = False) -> "dict[str, typing.Any]":
    """
    Means of ranking metrics over queries, on all threads: every query of `qrels` counts once, those of `run` must be the same.

    Args:
        run: The answer to each query: scores of items, which are ranked from the highest down, equal ones in the order given; or a
            list of items, best first.
        qrels: What is right for each query: grades of items; or a list of items of grade 1.
        metrics: Names such as `"ndcg@10"`, `"recall@5"`, `"mrr"`, `"map"`, `"hit_rate@1"`, `"precision@10"`, `"f1@5"`,
            `"r_precision"`, `"rbp"`, `"err"`, `"bpref"`; without `@k` over the whole list.
        conventions: What libraries do not agree on: as in `"trec_eval"`, `"ranx"` or `"recbole"`; or a dict of settings such as
            `{"gain": "exponential"}` over those of trec_eval.
        per_query: Whether to return an array of one value per query, in the order of `qrels`, instead of the mean; NaN for a query
            that the conventions leave out.

    Raises:
        SettingError: An unknown convention.
        RewardError: An unknown metric; a grade out of range.
        DataError: A query of one and not of the other; a score that is NaN.

    Example:
        >>> evaluate({"q": {"a": 0.1, "b": 0.9}}, {"q": {"a": 1}}, ["mrr", "hit_rate@1"], conventions="ranx")
        {'hit_rate@1': 0.0, 'mrr': 0.5}
    """

def read_queries(path: "str | os.PathLike[str]", catalogue: Catalogue) -> "list[dict[str, typing.Any]]":
    """
    Reads queries on a catalogue, one as a JSON object a line, each checked.

    Raises:
        DataError: The file cannot be read; a query with a fault, by its line.
    """
