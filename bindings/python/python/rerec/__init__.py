"""The method of ReRec (arXiv 2604.07851) for trainers in Python: reward, step credit, advantages, curriculum, data.

The work is done in Rust, on all threads, while other threads of Python go on. Nothing here imports torch; `rerec.trl`, `rerec.verl`
and `rerec.slime` plug it into those trainers.
"""

from rerec._rerec import (
    Assessment,
    Assessor,
    AttributeGraph,
    Catalogue,
    Credit,
    Curriculum,
    Dataset,
    DualGraphReward,
    FittedLightGCN,
    ItemEmbeddings,
    LightGCN,
    RewardBreakdown,
    Rewards,
    StepCredits,
    TokenBytes,
    advantages,
    evaluate,
    read_queries,
)
from rerec.errors import AdvantageError, CurriculumError, DataError, Error, RewardError, SettingError, TextError
from rerec.rows import training_rows
from rerec.sampler import CurriculumSampler
from rerec.tokens import token_bytes

__all__ = [
    "AdvantageError",
    "Assessment",
    "Assessor",
    "AttributeGraph",
    "Catalogue",
    "Credit",
    "Curriculum",
    "CurriculumError",
    "CurriculumSampler",
    "DataError",
    "Dataset",
    "DualGraphReward",
    "Error",
    "FittedLightGCN",
    "ItemEmbeddings",
    "LightGCN",
    "RewardBreakdown",
    "RewardError",
    "Rewards",
    "SettingError",
    "StepCredits",
    "TextError",
    "TokenBytes",
    "advantages",
    "evaluate",
    "read_queries",
    "token_bytes",
    "training_rows",
]
