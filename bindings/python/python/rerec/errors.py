"""What can go wrong: each message names the thing, the value, what is allowed, and the place.

Arguments of another type are a `TypeError`, arrays of another shape a `ValueError`; all else is one of these.
"""

__all__ = ["AdvantageError", "CurriculumError", "DataError", "Error", "RewardError", "SettingError", "TextError"]


class Error(ValueError):
    """Anything that the package refuses."""


class AdvantageError(Error):
    """Rewards, masks or byte lengths that do not fit together, or a setting of credit or estimator out of range."""


class CurriculumError(Error):
    """An unknown query, a metric out of range, a damaged state."""


class DataError(Error):
    """A data set, a run or judgements that are missing, malformed or contradict themselves."""


class RewardError(Error):
    """A catalogue, graph, embedding or target that is unknown, ambiguous or missing."""


class SettingError(Error):
    """A setting that does not exist, has another type, or does not go with another."""


class TextError(Error):
    """A text that is no text, a tokenizer that is not known, a token outside its vocabulary."""
