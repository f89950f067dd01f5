import json
import os
import subprocess

import numpy as np
import pytest

import lathe
from conftest import all_archs, table_ms


def test_a_block_table_is_the_sum_over_its_blocks(tiny, table):
    ms = table_ms(tiny)
    archs = all_archs(tiny)
    expected = [0.5 + sum(ms[key] for key in tiny.block_keys(arch)) for arch in archs]
    assert table.is_sum
    assert np.allclose(table.predict_ms(archs), expected, rtol=1e-12)
    assert table.predict_ms(archs[7]) == pytest.approx(expected[7], rel=1e-12)


def test_a_table_with_gaps_names_the_block(tiny):
    ms = table_ms(tiny)
    gap = tiny.block_keys(tiny.largest())[-2]
    del ms[gap]
    with pytest.raises(lathe.Error) as raised:
        lathe.block_table(tiny, ms).predict_ms(tiny.largest())
    assert gap in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["ridge", "additive", "linear"])
def test_fits_find_the_sum_that_samples_are_of(tiny, table, kind):
    rng = lathe.Rng(1)
    archs = [tiny.sample(rng) for _ in range(120)]
    measured_ms = table.predict_ms(archs)
    model = lathe.fit_latency_model(kind, tiny, archs, measured_ms, fingerprint={"device": "none"})
    assert model.fingerprint["device"] == "none" and model.fingerprint["space"] == tiny.name
    assert model.validation is None
    every = all_archs(tiny)
    error = model.error(every, table.predict_ms(every))
    assert error["samples"] == len(every)
    assert error["mape"] < 0.02
    cross_validated = lathe.cross_validated_error(kind, tiny, archs, measured_ms, folds=4, seed=2)
    assert cross_validated["samples"] == 120 and cross_validated["mape"] < 0.05


def test_errors_are_those_of_numpy(tiny, table):
    archs = all_archs(tiny)[::7]
    measured_ms = table.predict_ms(archs) * np.linspace(0.9, 1.12, len(archs))
    off = np.abs(table.predict_ms(archs) - measured_ms) / measured_ms
    error = table.error(archs, measured_ms)
    assert error["mape"] == pytest.approx(off.mean())
    assert error["within_5"] == pytest.approx((off <= 0.05).mean())
    assert error["rmse_ms"] == pytest.approx(
        np.sqrt(np.mean((table.predict_ms(archs) - measured_ms) ** 2))
    )


def test_calibration_finds_scale_and_bias(tiny, table):
    archs = all_archs(tiny)[::11]
    measured_ms = 2.5 * table.predict_ms(archs) + 0.25
    calibrated = table.calibrated(archs, measured_ms)
    assert np.allclose(calibrated.predict_ms(archs), measured_ms, rtol=1e-6)
    assert calibrated.validation["mape"] < 1e-6
    assert table.validation is None


def test_saved_models_say_the_same(tiny, table, tmp_path):
    rng = lathe.Rng(1)
    archs = [tiny.sample(rng) for _ in range(40)]
    for kind in ("ridge", "additive", "linear"):
        model = lathe.fit_latency_model(kind, tiny, archs, table.predict_ms(archs))
        model.save(tmp_path / "latency.json")
        loaded = lathe.load_latency_model(tiny, tmp_path / "latency.json")
        assert np.array_equal(loaded.predict_ms(archs), model.predict_ms(archs))
        assert loaded.fingerprint == model.fingerprint
        assert loaded.is_sum == (kind != "linear")


def test_a_model_outlives_its_space(tiny_file):
    model = lathe.block_table(lathe.space(str(tiny_file)), table_ms(lathe.space(str(tiny_file))))
    assert model.predict_ms(model.space.smallest()) > 0


def test_a_model_of_a_part(tiny, table):
    part = tiny.part(tiny.smallest(), tiny.largest())
    model = table.for_part(part)
    arch = part.sample(lathe.Rng(2))
    assert model.predict_ms(arch) == pytest.approx(table.predict_ms(part.to_whole(arch)))
    assert model.fingerprint is None and model.space is part
    with pytest.raises(lathe.Error, match="part of another"):
        model.save("nowhere.json")


def test_samples_of_a_file(tiny, table, tmp_path):
    rng = lathe.Rng(9)
    archs = [tiny.sample(rng) for _ in range(12)]
    path = tmp_path / "samples.jsonl"
    lines = [{"fingerprint": table.fingerprint}]
    for i, arch in enumerate(archs):
        lines.append(
            {"arch": tiny.to_dict(arch), "median_ms": 1.0 + i, "p90_ms": 2.0 + i, "repeats": 5}
        )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"arch"')
    samples = lathe.read_latency_samples(tiny, path)
    assert samples["archs"] == archs
    assert samples["median_ms"].tolist() == [1.0 + i for i in range(12)]
    assert samples["p90_ms"].dtype == np.float64 and samples["repeats"].tolist() == [5] * 12
    assert samples["fingerprint"] == table.fingerprint
    assert samples["unfinished"]


def test_what_is_refused(tiny, table, tmp_path):
    archs = all_archs(tiny)[:9]
    with pytest.raises(lathe.Error, match="^a ridge model needs at least 10 samples, got 9$"):
        lathe.fit_latency_model("ridge", tiny, archs, [1.0] * 9)
    with pytest.raises(ValueError, match='unknown kind "perceptron": known: "additive"'):
        lathe.fit_latency_model("perceptron", tiny, archs, [1.0] * 9)
    with pytest.raises(ValueError, match="one number for each of 9 archs, got 8"):
        lathe.fit_latency_model("ridge", tiny, archs, [1.0] * 8)
    with pytest.raises(ValueError, match="measured_ms must be a list of numbers, got 2 dimensions"):
        table.error(archs, [[1.0]] * 9)
    with pytest.raises(lathe.Error, match='unknown member "devise": did you mean "device"'):
        lathe.block_table(tiny, table_ms(tiny), fingerprint={"devise": "phone"})
    with pytest.raises(lathe.Error, match="fingerprint: made for space"):
        lathe.block_table(tiny, table_ms(tiny), fingerprint={"space": "mbv3_28"})
    with pytest.raises(lathe.Error, match="missing.json"):
        lathe.load_latency_model(tiny, tmp_path / "missing.json")
    assert lathe.cross_validated_error("linear", tiny, archs[:3], [1.0] * 3) is None


def test_published_tables(published):
    space, latency, accuracy = lathe.load_models(
        "ofa_mbv3_w1.2",
        latency=published / "ofa_note10",
        accuracy=published / "ofa_note10" / "accuracy_predictor.safetensors",
    )
    assert space.input_sizes == [160, 176, 192, 208, 224]
    assert latency.is_sum and latency.space is space and accuracy.space is space
    rows = (published / "ofa_note10" / "golden.csv").read_text().splitlines()[1:]
    for row in rows:
        ks, e, d, r, percent, ms = row.split(",")[:6]
        numbers = {"ks": ks, "e": e, "d": d}
        arch = space.from_dict(
            {**{k: [int(n) for n in v.split()] for k, v in numbers.items()}, "r": int(r)}
        )
        assert 100 * accuracy.predict(arch) == pytest.approx(float(percent), abs=0.006)
        assert latency.predict_ms(arch) == pytest.approx(float(ms), abs=0.006)
    assert len(rows) > 3


def test_models_that_the_program_fits(tiny, tiny_file, table, tmp_path):
    program = os.environ.get("LATHE_PROGRAM")
    if not program:
        pytest.skip("the program is not built: it needs LibTorch")
    rng = lathe.Rng(1)
    archs = [tiny.sample(rng) for _ in range(80)]
    measured_ms = table.predict_ms(archs) * [1 + 0.01 * rng.normal() for _ in archs]
    lines = [{"fingerprint": table.fingerprint}] + [
        {"arch": tiny.to_dict(arch), "median_ms": ms, "p90_ms": ms, "repeats": 1}
        for arch, ms in zip(archs, measured_ms.tolist())
    ]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for kind in ("ridge", "additive", "linear", "perceptron", "residual"):
        out = tmp_path / f"{kind}.json"
        subprocess.run(
            [program, "latency", "fit", "--model", kind, "--samples", tmp_path / "s.jsonl",
             "--space", tiny_file, "--out", out],
            check=True, capture_output=True,
        )
        theirs = lathe.load_latency_model(tiny, out)
        assert theirs.fingerprint == table.fingerprint and theirs.validation["samples"] == 80
        assert theirs.error(archs, measured_ms)["mape"] < 0.1
        if kind not in ("perceptron", "residual"):
            ours = lathe.fit_latency_model(kind, tiny, archs, measured_ms)
            assert np.array_equal(ours.predict_ms(archs), theirs.predict_ms(archs))
            error = lathe.cross_validated_error(kind, tiny, archs, measured_ms)
            assert error == theirs.validation
