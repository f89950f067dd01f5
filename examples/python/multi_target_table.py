#!/usr/bin/env python3
"""The best net for every latency target, by several strategies, as one table.

    LATHE_PUBLISHED_DATA=DIR python3 examples/python/multi_target_table.py [SEEDS]

makes Table 2 of "Efficient Incorporation of Multiple Latency Targets in the Once-For-All Network"
(Kumar and Szidon) again, from the published Galaxy Note10 tables and accuracy predictor in
DIR/ofa_note10; docs/multi_target.md has what it shows. Without LATHE_PUBLISHED_DATA a small space is
searched with made-up models.
"""

import os
import sys
from pathlib import Path

import numpy as np

import lathe

STRATEGIES = ["vanilla", "top-down", "bottom-up", "cold", "all-targets"]


def published_problem(folder):
    """The paper's: (space, latency, accuracy, targets in ms)."""
    space, latency, accuracy = lathe.load_models(
        "ofa_mbv3_w1.2",
        latency=folder / "ofa_note10",
        accuracy=folder / "ofa_note10" / "accuracy_predictor.safetensors",
    )
    return space, latency, accuracy, [15, 20, 25, 30, 35, 40, 45, 50, 55, 60]


def made_up_problem():
    """A device that is a formula, 2% noise included; an accuracy that is a function of Python."""
    space = lathe.space("mbv3_28")
    rng = lathe.Rng(0)
    nets = [space.sample(rng) for _ in range(100)]
    measured_ms = 0.05 + 1e-7 * space.macs(nets) + 2e-6 * space.params(nets)
    measured_ms *= [1 + 0.02 * rng.normal() for _ in nets]
    latency = lathe.fit_latency_model("ridge", space, nets, measured_ms)
    error = lathe.cross_validated_error("ridge", space, nets, measured_ms)
    print(f"latency model: {100 * error['mape']:.1f}% off on nets that it was not fitted to")

    worth = np.random.RandomState(0).uniform(0, 1, space.encoding_size)

    def accuracy(archs):
        return 1 - 1 / (2 + space.encode(archs) @ worth + np.log(space.macs(archs) / 1e6))

    return space, latency, accuracy, [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6]


def mean_accuracies(problem, strategy, seeds):
    """Of the best net for each target, the mean over seeds; and the seconds of a search."""
    space, latency, accuracy, targets_ms = problem
    found = [
        lathe.search(space, latency=latency, accuracy=accuracy, targets_ms=targets_ms,
                     strategy=strategy, seed=seed)
        for seed in range(seeds)
    ]
    accuracies = [[t["predicted_accuracy"] for t in result["targets"]] for result in found]
    return np.mean(accuracies, axis=0), np.mean([result["seconds"] for result in found])


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    folder = os.environ.get("LATHE_PUBLISHED_DATA")
    problem = published_problem(Path(folder)) if folder else made_up_problem()
    columns = [mean_accuracies(problem, strategy, seeds) for strategy in STRATEGIES]
    print("target ms | " + " | ".join(f"{strategy:>11}" for strategy in STRATEGIES))
    for i, target_ms in enumerate(problem[3]):
        print(f"{target_ms:9g} | " + " | ".join(f"{means[i]:11.4f}" for means, _ in columns))
    print("     mean | " + " | ".join(f"{means.mean():11.4f}" for means, _ in columns))
    print("  seconds | " + " | ".join(f"{seconds:11.2f}" for _, seconds in columns))


if __name__ == "__main__":
    main()
