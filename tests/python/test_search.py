import json
import os
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import lathe
from conftest import accuracy_of, all_archs, table_ms


def without_seconds(result):
    """What depends on the seed alone."""
    targets = [{k: v for k, v in t.items() if k != "seconds"} for t in result["targets"]]
    return {**{k: v for k, v in result.items() if k != "seconds"}, "targets": targets}


def targets_of(table, archs, shares=(0.0, 0.1, 0.3, 0.6, 1.0)):
    ms = table.predict_ms(archs)
    return [ms.min() + share * (ms.max() - ms.min()) for share in shares]


@pytest.mark.parametrize("latency_as", ["table", "function"])
def test_finds_what_enumeration_finds(tiny, table, latency_as):
    archs, accuracy = all_archs(tiny), accuracy_of(tiny)
    ms, worth = table.predict_ms(archs), accuracy(archs)
    latency = table if latency_as == "table" else lambda some: table.predict_ms(some)
    result = lathe.search(
        tiny, latency=latency, accuracy=accuracy, targets_ms=targets_of(table, archs), candidates=3
    )
    assert len(result["targets"]) == 5
    for target in result["targets"]:
        fits = ms <= target["target_ms"]
        assert target["feasible"] and target["predicted_ms"] <= target["target_ms"]
        assert target["predicted_accuracy"] == worth[fits].max()
        assert target["arch"] == target["candidates"][0]["arch"]
        ranked = [c["predicted_accuracy"] for c in target["candidates"]]
        assert ranked == sorted(worth[fits], reverse=True)[: len(ranked)]
        assert target["minimum_ms"] == pytest.approx(ms.min())
        assert target["error"] is None
    front = result["front"]
    assert [n["predicted_ms"] for n in front] == sorted(n["predicted_ms"] for n in front)
    for net in front:
        beats = (ms <= net["predicted_ms"] - 1e-9) & (worth >= net["predicted_accuracy"])
        assert not beats.any()
    assert 0 < result["evaluations"] <= len(archs)
    assert result["trace"][-1]["evaluations"] == result["evaluations"]


@pytest.mark.parametrize("strategy", ["all-targets", "vanilla", "top-down", "bottom-up", "cold"])
def test_a_function_that_is_a_stored_model_gives_the_same_search(tiny, table, strategy):
    rng = lathe.Rng(1)
    archs = [tiny.sample(rng) for _ in range(60)]
    model = lathe.fit_latency_model("linear", tiny, archs, table.predict_ms(archs))
    options = dict(
        accuracy=accuracy_of(tiny), targets_ms=targets_of(table, archs), strategy=strategy,
        generations=6, population=20, effort="fast", seed=4,
    )
    by_model = lathe.search(tiny, latency=model, **options)
    by_function = lathe.search(tiny, latency=lambda some: model.predict_ms(some), **options)
    assert without_seconds(by_model) == without_seconds(by_function)


def test_same_seed_same_answer_and_same_calls(tiny, table):
    def search(seed):
        accuracy, calls = accuracy_of(tiny), []

        def recorded(archs):
            calls.append(archs)
            return accuracy(archs)

        result = lathe.search(
            tiny, latency=table, accuracy=recorded, targets_ms=[2.0, 3.0], strategy="vanilla",
            generations=3, population=10, seed=seed,
        )
        return without_seconds(result), calls

    assert search(1) == search(1)
    assert search(1) != search(2)
    nets = [arch for call in search(1)[1] for arch in call]
    assert len(nets) == len(set(nets)), "asked for a net twice"
    assert max(len(call) for call in search(1)[1]) > 1, "asked one by one"


def test_limits_hold(tiny, table):
    archs, accuracy = all_archs(tiny), accuracy_of(tiny)
    macs, params, bytes_ = tiny.macs(archs), tiny.params(archs), tiny.peak_memory_bytes(archs)
    limits = dict(
        max_macs=float(np.median(macs)), max_params=float(np.quantile(params, 0.6)),
        max_memory_mb=float(np.quantile(bytes_, 0.8)) / 1e6,
    )
    allowed = (
        (macs <= limits["max_macs"]) & (params <= limits["max_params"])
        & (bytes_ / 1e6 <= limits["max_memory_mb"])
    )
    target_ms = targets_of(table, archs)[3]
    result = lathe.search(tiny, latency=table, accuracy=accuracy, targets_ms=[target_ms], **limits)
    fits = allowed & (table.predict_ms(archs) <= target_ms)
    assert result["targets"][0]["predicted_accuracy"] == accuracy(archs)[fits].max()


def test_infeasible_is_an_answer(tiny, table):
    result = lathe.search(tiny, latency=table, accuracy=accuracy_of(tiny), targets_ms=[0.01])
    (target,) = result["targets"]
    assert not target["feasible"] and target["arch"] is None and target["candidates"] == []
    assert target["minimum_ms"] == pytest.approx(table.predict_ms(all_archs(tiny)).min())


def test_what_a_function_raises_comes_out_as_it_is(tiny, table):
    class Mine(Exception):
        pass

    problem = Mine("no net today")

    def raises(archs):
        raise problem

    for models in ({"latency": raises, "accuracy": accuracy_of(tiny)},
                   {"latency": table, "accuracy": raises}):
        with pytest.raises(Mine) as raised:
            lathe.search(tiny, targets_ms=[3.0], **models)
        assert raised.value is problem
    with pytest.raises(Mine):
        lathe.reachable_range(tiny, raises)


@pytest.mark.parametrize(
    "returned, error, text",
    [
        (lambda archs: [0.5], ValueError, "accuracy must return one number for each of"),
        (lambda archs: [[0.5]] * len(archs), ValueError, "what accuracy returns must be a list"),
        (lambda archs: [float("nan")] * len(archs), ValueError, "finite numbers, got nan for lathe"),
        (lambda archs: None, (TypeError, ValueError), None),
        (lambda archs: ["good"] * len(archs), ValueError, None),
    ],
)
def test_what_a_function_must_return(tiny, table, returned, error, text):
    with pytest.raises(error, match=text):
        lathe.search(tiny, latency=table, accuracy=returned, targets_ms=[3.0])


def test_any_list_of_numbers_will_do(tiny, table):
    accuracy = accuracy_of(tiny)
    options = dict(latency=table, targets_ms=[2.0, 3.0])
    answers = [
        without_seconds(lathe.search(tiny, accuracy=lambda archs: kind(accuracy(archs)), **options))
        for kind in (lambda x: x, list, tuple, np.ndarray.tolist)
    ]
    assert all(answer == answers[0] for answer in answers)


def test_wrong_arguments(tiny, table):
    given = dict(latency=table, accuracy=accuracy_of(tiny), targets_ms=[3.0])
    for change, error, text in [
        ({"strategy": "topdown"}, ValueError, 'unknown strategy "topdown": did you mean "top-down"'),
        ({"effort": "slow"}, ValueError, 'unknown effort "slow"'),
        ({"targets_ms": []}, ValueError, "targets_ms must not be empty"),
        ({"targets_ms": [-1.0]}, ValueError, "targets_ms must be > 0, got -1"),
        ({"latency": 3}, TypeError, "latency must be a model or a function of a list of archs, got 3"),
        ({"population": 0}, ValueError, "evolution.population must be from 1"),
        ({"strategy": "pareto"}, lathe.Error, None),
    ]:
        with pytest.raises(error, match=text):
            lathe.search(tiny, **{**given, **change})
    fewer = lathe.space("ofa_mbv3_w1.2", resolutions=[160, 224])
    model = lathe.block_table(fewer, table_ms(fewer))
    with pytest.raises(ValueError, match="latency must be of ofa_mbv3_w1.2 of 128 132 .* got one of"):
        lathe.search(lathe.space("ofa_mbv3_w1.2"), **{**given, "latency": model})


def test_reachable_range_is_that_of_the_enumerated(tiny, table):
    ms = table.predict_ms(all_archs(tiny))
    for latency in (table, table.predict_ms):
        reachable = lathe.reachable_range(tiny, latency)
        assert reachable["fastest"]["predicted_ms"] == pytest.approx(ms.min())
        assert reachable["slowest"]["predicted_ms"] == pytest.approx(ms.max())
        assert table.predict_ms(reachable["slowest"]["arch"]) == pytest.approx(ms.max())


def test_a_search_can_be_interrupted(tiny, table):
    accuracy = accuracy_of(tiny)

    def interrupted_once(archs, timer=[threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))]):
        if timer:
            timer.pop().start()
        return accuracy(archs)

    with pytest.raises(KeyboardInterrupt):
        lathe.search(
            tiny, latency=table, accuracy=interrupted_once, targets_ms=[3.0], strategy="random",
            generations=10**5, population=100,
        )


def test_the_program_gives_the_same_answer(tmp_path, published):
    program = os.environ.get("LATHE_PROGRAM")
    if not program:
        pytest.skip("the program is not built: it needs LibTorch")
    tables = published / "ofa_note10"
    models = dict(latency=tables, accuracy=tables / "accuracy_predictor.safetensors")
    space, latency, accuracy = lathe.load_models("ofa_mbv3_w1.2", **models)
    for strategy in ("all-targets", "top-down"):
        printed = subprocess.run(
            [program, "search", "--space", "ofa_mbv3_w1.2", "--latency", models["latency"],
             "--accuracy", models["accuracy"], "--targets", "5,20,40", "--effort", "fast",
             "--generations", "20", "--seed", "7", "--strategy", strategy, "--json"],
            check=True, capture_output=True, text=True,
        ).stdout
        expected = json.loads(printed)
        result = lathe.search(
            space, latency=latency, accuracy=accuracy, targets_ms=[5, 20, 40], effort="fast",
            generations=20, seed=7, strategy=strategy,
        )
        assert result["evaluations"] == expected["evaluations"]
        for ours, theirs in zip(result["targets"], expected["targets"]):
            assert ours["feasible"] == theirs["feasible"]
            if ours["feasible"]:
                assert space.to_dict(ours["arch"]) == theirs["arch"]
                assert ours["predicted_ms"] == theirs["latency_ms"]
                assert ours["predicted_accuracy"] == theirs["accuracy"]
                assert ours["provenance"] == theirs["provenance"]
            else:
                assert ours["minimum_ms"] == theirs["minimum_ms"]


def test_threads_search_as_one_does(tiny, table):
    def search(seed):
        return without_seconds(
            lathe.search(tiny, latency=table.predict_ms, accuracy=accuracy_of(tiny),
                         targets_ms=[2.0, 3.0], seed=seed, effort="fast")
        )

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(search, range(8))) == [search(seed) for seed in range(8)]


CHAIN = {
    "family": "chain",
    "name": "short_chain",
    "task": {"in_channels": 1, "num_classes": 10, "input_size": 16},
    "layers": [
        {"widths": [4, 8], "stride": 2},
        {"widths": [4, 8, 12]},
        {"widths": [8, 12, 16], "stride": 2},
    ],
}
WIDTH_ERRORS = [[0.4, 0.1], [0.5, 0.3, 0.05], [0.3, 0.2, 0.1]]  # nats, by layer and width


@pytest.mark.parametrize("strategy", ["ows", "pareto", "lagrangian"])
def test_exact_strategies_on_width_scores(tmp_path, strategy):
    (tmp_path / "chain.json").write_text(json.dumps(CHAIN))
    space = lathe.space(str(tmp_path / "chain.json"))
    scores = [[{"mean": e, "standard_error": 0.01, "count": 9} for e in es] for es in WIDTH_ERRORS]
    (tmp_path / "scores.json").write_text(
        json.dumps({
            "version": 1, "space": space.name, "task": space.task, "scores": scores,
            "unit": "nats of cross-entropy above the widest net", "calibration": None,
        })
    )
    predictor = lathe.load_accuracy_predictor(space, tmp_path / "scores.json")
    table = lathe.block_table(space, table_ms(space))
    archs = all_archs(space)
    ms = table.predict_ms(archs)
    errors = np.array([sum(WIDTH_ERRORS[i][c] for i, c in enumerate(a.choices)) for a in archs])
    targets_ms = list(np.quantile(ms, [0.1, 0.5, 0.9]))
    result = lathe.search(
        space, latency=table, accuracy=predictor, targets_ms=targets_ms, strategy=strategy
    )
    for target in result["targets"]:
        least = errors[ms <= target["target_ms"]].min()
        assert target["bound"] <= least + 1e-9 <= target["error"] + 2e-9
        if strategy != "lagrangian":
            assert target["error"] == pytest.approx(least)
    assert predictor.error(archs, predictor.predict(archs))["rmse_points"] == 0
