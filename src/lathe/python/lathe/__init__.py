"""Hardware-aware neural architecture search: spaces, latency models, search, run folders.

The parts of Lathe that need neither LibTorch nor a device. docs/python.md has a tour.
"""

from lathe._lathe import (
    AccuracyPredictor,
    Arch,
    Error,
    LatencyModel,
    Rng,
    Space,
    Subspace,
    __version__,
    block_table,
    cross_validated_error,
    fit_latency_model,
    load_accuracy_predictor,
    load_latency_model,
    load_models,
    reachable_range,
    read_accuracy_samples,
    read_latency_samples,
    search,
    space,
    space_names,
    strategy_names,
)
from lathe.run import Run

__all__ = [
    "AccuracyPredictor",
    "Arch",
    "Error",
    "LatencyModel",
    "Rng",
    "Run",
    "Space",
    "Subspace",
    "block_table",
    "cross_validated_error",
    "fit_latency_model",
    "load_accuracy_predictor",
    "load_latency_model",
    "load_models",
    "reachable_range",
    "read_accuracy_samples",
    "read_latency_samples",
    "search",
    "space",
    "space_names",
    "strategy_names",
]

for _name in __all__:  # where users find them, in messages and pickles
    globals()[_name].__module__ = "lathe"
