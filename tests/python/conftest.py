"""What the tests share: a space that can be enumerated, and models of it that are formulas."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

import lathe

TINY = {
    "family": "mobile",
    "name": "tiny",
    "task": {"in_channels": 1, "num_classes": 10, "input_size": 16},
    "stem": {"channels": 8, "stride": 1, "activation": "relu"},
    "first_block": {"channels": 8, "activation": "relu"},
    "stages": [
        {"channels": 16, "stride": 2, "depths": [1, 2], "kernels": [3, 5], "expansions": [2, 3]},
        {"channels": 24, "stride": 2, "depths": [1, 2], "kernels": [3, 5], "expansions": [2, 4]},
    ],
    "head": {"channels": 32, "activation": "h_swish", "dropout": 0.1},
}


@pytest.fixture
def tiny_file(tmp_path):
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(TINY))
    return path


@pytest.fixture
def tiny(tiny_file):
    return lathe.space(str(tiny_file))


@pytest.fixture
def published():
    folder = os.environ.get("LATHE_PUBLISHED_DATA")
    if not folder:
        pytest.skip("LATHE_PUBLISHED_DATA is not set")
    return Path(folder)


def all_archs(space):
    """Every net of a small space once."""
    choices = itertools.product(*(range(len(d["values"])) for d in space.decisions))
    return sorted({space.canonical(lathe.Arch(c)) for c in choices}, key=lambda arch: arch.choices)


def table_ms(space):
    """Made-up milliseconds of every block, by its key."""
    return {key: 0.1 + 0.01 * i for i, key in enumerate(sorted(space.block_keys()))}


def weights(space, seed=3):
    return np.random.RandomState(seed).uniform(0, 1, space.encoding_size)


def accuracy_of(space, seed=3):
    """A formula: bigger is better on the whole, with an effect of a pair of choices."""
    w = weights(space, seed)

    def accuracy(archs):
        x = space.encode(archs).astype(np.float64)
        return 0.5 + 0.01 * (x @ w) + 0.02 * x[:, 0] * x[:, -1]

    return accuracy


@pytest.fixture
def table(tiny):
    return lathe.block_table(tiny, table_ms(tiny), bias_ms=0.5)
