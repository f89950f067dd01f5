import json

import numpy as np
import pytest

import lathe


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def run_folder(tmp_path, tiny, tiny_file, table):
    """A run of a space of its own that has measured and trained, and has no result yet."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.toml").write_text("[run]\n")
    (folder / "space.json").write_text(tiny_file.read_text())
    table.save(folder / "latency.json")
    rng = lathe.Rng(1)
    archs = [tiny.to_dict(tiny.sample(rng)) for _ in range(4)]
    write_lines(
        folder / "latency_samples.jsonl",
        [{"fingerprint": table.fingerprint}]
        + [{"arch": arch, "median_ms": 1.5, "p90_ms": 1.7, "repeats": 3} for arch in archs],
    )
    conditions = {
        "space": tiny.name, **tiny.task, "dataset": "made-up", "weights": "0", "seed": 0,
        "validation_images": 10,
    }
    evaluated = [{"conditions": conditions}, *({"arch": a, "accuracy": 0.25} for a in archs)]
    evaluated[1]["soft_accuracy"] = 0.125
    write_lines(folder / "accuracy_samples.jsonl", evaluated)
    write_lines(folder / "candidates.jsonl", evaluated[:3])
    (folder / "train.json").write_text(json.dumps({"method": "deps", "space": "space.json"}))
    (folder / "metrics.jsonl").write_text(
        '{"step": 10, "loss": 2.0, "top1": {"largest": 0.5}}\n'
        '{"step": 20, "loss": 1.0, "phase": "shrinking"}\n{"step": 30, "lo'
    )
    return folder


def test_metrics_by_column(run_folder):
    metrics = lathe.Run(run_folder).metrics()
    assert list(metrics) == ["step", "loss", "top1/largest", "phase"]
    assert metrics["step"].tolist() == [10, 20] and metrics["loss"].dtype == np.float64
    assert metrics["top1/largest"][0] == 0.5 and np.isnan(metrics["top1/largest"][1])
    assert metrics["phase"].tolist() == [None, "shrinking"]


def test_samples_and_models(run_folder, tiny, table):
    run = lathe.Run(str(run_folder))
    assert run.space.name == tiny.name and run.trained_space is run.space
    latencies, accuracies = run.latency_samples(), run.accuracy_samples()
    assert latencies["archs"] == accuracies["archs"] and len(latencies["archs"]) == 4
    assert latencies["median_ms"].tolist() == [1.5] * 4 and not latencies["unfinished"]
    assert accuracies["accuracy"].tolist() == [0.25] * 4
    soft = accuracies["soft_accuracy"]
    assert soft[0] == 0.125 and np.isnan(soft[1:]).all()
    assert accuracies["conditions"]["dataset"] == "made-up"
    assert np.array_equal(
        run.latency_model().predict_ms(latencies["archs"]), table.predict_ms(latencies["archs"])
    )
    candidates = run.candidates()
    assert [net["arch"] for net in candidates] == latencies["archs"][:2]
    assert candidates[0]["accuracy"] == 0.25


def test_a_part_that_was_trained(run_folder, tiny):
    ends = {"lowest": tiny.smallest(), "highest": tiny.largest()}
    train = {"within": {end: tiny.to_dict(arch) for end, arch in ends.items()}}
    (run_folder / "train.json").write_text(json.dumps(train))
    part = lathe.Run(run_folder).trained_space
    assert isinstance(part, lathe.Subspace) and part.contains(tiny.largest())


def test_result(run_folder):
    run = lathe.Run(run_folder)
    with pytest.raises(lathe.Error, match="result.json: cannot read: No such file"):
        run.result()
    (run_folder / "result.json").write_text('{"targets": [{"target_ms": 2.0}]}')
    assert run.result() == {"targets": [{"target_ms": 2.0}]}
    (run_folder / "result.json").write_text("{")
    with pytest.raises(lathe.Error, match="result.json: not valid JSON"):
        run.result()


def test_a_damaged_file_is_named(run_folder):
    (run_folder / "latency.json").write_text('{"fingerprint": 3}')
    with pytest.raises(lathe.Error, match='latency.json: expected "fingerprint", an object'):
        lathe.Run(run_folder).latency_samples()
    (run_folder / "latency.json").write_text("[]")
    with pytest.raises(lathe.Error, match="latency.json: expected a JSON object"):
        lathe.Run(run_folder).latency_samples()


def test_what_is_no_run(tmp_path):
    with pytest.raises(lathe.Error, match="expected the folder of a run"):
        lathe.Run(tmp_path)


def test_a_built_in_space_for_the_task_it_was_measured_for(tmp_path):
    space = lathe.space("mbv3_28", num_classes=7, in_channels=3, input_size=32)
    (tmp_path / "config.toml").write_text("[run]\n")
    (tmp_path / "result.json").write_text(
        json.dumps({"device": {"space": space.name, **space.task}, "targets": []})
    )
    assert lathe.Run(tmp_path).space.task == space.task
