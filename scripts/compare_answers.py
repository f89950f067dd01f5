#!/usr/bin/env python3
"""Trained supernets asked in several ways by `lathe specialize`: which way's answers are better?

    scripts/compare_answers.py ways OUT --runs runs/1 runs/2 --targets 0.3,0.4,0.5 \\
        --way "predictor: --candidates 1" --way "ten: --candidates 10"
    scripts/compare_answers.py runtimes OUT --runs runs/1 runs/2 --num-targets 5

The first asks each run for the same targets in each way, which is a name and options of `lathe
specialize`. The second asks on LibTorch, times these answers in the runtime that ships
(--shipped "--runner onnxruntime"), asks there for what they took, and times all in turns: accuracies
are then compared at equal latency.
Runs are folders of `lathe run` or `lathe train`. Test accuracies chose nothing. An idle machine is
needed; started again, it goes on with what is in OUT.
"""
import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LATHE = os.environ.get("LATHE", str(ROOT / "build/release/apps/lathe/lathe"))


def lathe(arguments, log):
    with open(log, "a") as errors:
        done = subprocess.run([LATHE, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True)
    if done.returncode:
        last = (log.read_text().splitlines() or ["no word"])[-1]
        sys.exit(f"compare_answers: {last}; all of it is in {log}")
    return done.stdout


def specialize(folder, run, options):
    """The answers of `run` that are in `folder`, found first if they aren't; and the whole result."""
    path = folder / "result.json"
    if not path.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        lathe(["specialize", "--from", run, *options, "--resume", "--out", str(folder)],
              folder.with_suffix(".log"))
    result = json.loads(path.read_text())
    return [t for t in result["targets"] if t["feasible"]], result


def table(columns, rows):
    print("| " + " | ".join(columns) + " |\n|" + "---|" + "--:|" * (len(columns) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def mean(values, digits):
    return f"{statistics.mean(values):.{digits}f}"


def ways(options):
    """A row for each way, means over runs and targets."""
    rows = []
    for way in options.way:
        name, _, more = way.partition(":")
        found = [specialize(options.out / str(i) / name, run,
                            ["--targets", options.targets, *shlex.split(more)])
                 for i, run in enumerate(options.runs)]
        answers = [t for feasible, _ in found for t in feasible]
        asked = sum(len(result["targets"]) for _, result in found)
        test = [statistics.mean(100 * t["test_accuracy"] for t in feasible) for feasible, _ in found]
        rows.append([
            name,
            f"{sum(t['within_target'] for t in answers)} of {asked}",
            mean([100 * t["measured_ms"] / t["target_ms"] for t in answers], 1),
            mean([100 * t["validation_accuracy"] for t in answers], 2),
            mean(test, 2),
            " ".join(f"{t:.2f}" for t in test),
            mean([result["seconds"] for _, result in found], 0),
        ])
    table(["way", "within", "of the target %", "validation %", "test %", "test % of each run",
           "seconds"], rows)


def benchmark(file, paths, options):
    """Medians of model files in the shipped runtime, timed in turns."""
    if not file.exists():
        out = lathe(["latency", "benchmark", "--onnx", *map(str, paths), "--json",
                     *shlex.split(options.shipped)], file.with_suffix(".log"))
        file.write_text(out)
    report = json.loads(file.read_text())
    return [net["p50"] for net in report.get("nets", [report])]


def models(folder, answers):
    return [folder / t["dir"] / "model.onnx" for t in answers]


def at_latency(front, ms):
    """Accuracy of a front [(ms, accuracy)...] at `ms`, between its neighbours; None outside it."""
    front = sorted(front)
    for (ms0, accuracy0), (ms1, accuracy1) in zip(front, front[1:]):
        if ms0 <= ms <= ms1:
            share = (ms - ms0) / (ms1 - ms0) if ms1 > ms0 else 1
            return accuracy0 + share * (accuracy1 - accuracy0)
    return None


def runtimes(options):
    """A row for each answer, each beside the other way's front at the latency that it takes."""
    rows, differences = [], []
    for i, run in enumerate(options.runs):
        here = options.out / str(i)
        torch, _ = specialize(here / "torch", run,
                              ["--runner", "torch", "--num-targets", str(options.num_targets)])
        torch = [t for t in torch if "same_as_ms" not in t]
        asked = sorted({float(f"{ms:.4g}")
                        for ms in benchmark(here / "torch.json", models(here / "torch", torch),
                                            options)})
        shipped, _ = specialize(here / "shipped", run,
                                ["--targets", ",".join(map(str, asked)),
                                 *shlex.split(options.shipped)])
        shipped = [t for t in shipped if "same_as_ms" not in t]
        timed = benchmark(here / "all.json", models(here / "torch", torch) +
                          models(here / "shipped", shipped), options)
        points = [(ms, 100 * t["test_accuracy"]) for ms, t in zip(timed, torch + shipped)]
        fronts = {"LibTorch": points[:len(torch)], "shipped": points[len(torch):]}
        for way, front in fronts.items():
            other = fronts["shipped" if way == "LibTorch" else "LibTorch"]
            for ms, accuracy in sorted(set(front)):
                there = at_latency(other, ms)
                if there is not None:
                    differences.append(accuracy - there if way == "shipped" else there - accuracy)
                rows.append([str(i + 1), way, f"{ms:.3f}", f"{accuracy:.2f}",
                             "" if there is None else f"{there:.2f}"])
    table(["run", "searched on", "shipped ms", "test %", "the other's at that latency"], rows)
    spread = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else 0
    print(f"\nsearched on the shipped runtime instead of LibTorch: {statistics.mean(differences):+.2f} "
          f"points at equal latency, standard error {spread:.2f}, {len(differences)} comparisons")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    for verb in (ways, runtimes):
        command = verbs.add_parser(verb.__name__)
        command.add_argument("out", type=pathlib.Path)
        command.add_argument("--runs", nargs="+", required=True)
        command.set_defaults(verb=verb)
        if verb is ways:
            command.add_argument("--targets", required=True)
            command.add_argument("--way", action="append", required=True)
        else:
            command.add_argument("--num-targets", type=int, default=5)
            command.add_argument("--shipped", default="--runner onnxruntime")
    options = parser.parse_args()
    if not os.access(LATHE, os.X_OK):
        sys.exit(f"compare_answers: {LATHE} is no program: scripts/build.sh lathe_cli builds it")
    options.out.mkdir(parents=True, exist_ok=True)
    options.verb(options)


if __name__ == "__main__":
    main()
