"""LightGCN on the MovieLens-100K of RecBole's wheel, beside RecBole."""

import contextlib
import logging
import tempfile
from typing import Any

import numpy as np
from measure import Measure
from scipy.sparse import dok_matrix

# RecBole 1.2.1 asks for names that NumPy 2 and SciPy 1.13 no longer have.
np.float_, np.complex_, np.unicode_ = np.float64, np.complex128, np.str_  # type: ignore[attr-defined]
dok_matrix._update = lambda matrix, entries: matrix._dict.update(entries)
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.general_recommender.lightgcn import LightGCN
from recbole.trainer import Trainer

import rerec

BATCH, DIMENSION, LAYERS = 2048, 64, 3


def run(measure: Measure) -> None:
    logging.disable()
    # RecBole writes logs to where it is called.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        config = recbole_config(folder)
        train, _, _ = data_preparation(config, create_dataset(config))
        pairs = train.dataset.inter_feat
        users, items = (pairs[field].numpy() for field in (config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]))
        trainer = Trainer(config, LightGCN(config, train.dataset))
        settings = {
            "dimension": DIMENSION,
            "layers": LAYERS,
            "batch_size": BATCH,
            "max_epochs": 1,
            "validation_fraction": 0.01,
        }
        model = rerec.LightGCN(settings)
        measure(
            f"an epoch of LightGCN on {len(users):,} pairs, d {DIMENSION}, {LAYERS} layers; ours from the pairs on, and with a ranking of 1 % of them",
            "RecBole's epoch alone",
            lambda: model.fit(users, items),
            lambda: trainer._train_epoch(train, 0),
        )


def recbole_config(folder: str) -> Any:
    settings = {
        "train_batch_size": BATCH,
        "embedding_size": DIMENSION,
        "n_layers": LAYERS,
        "use_gpu": False,
        "show_progress": False,
        "checkpoint_dir": folder,
        "state": "ERROR",
    }
    return Config(model="LightGCN", dataset="ml-100k", config_dict=settings)
