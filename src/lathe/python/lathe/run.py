"""What lathe run, train and specialize leave in a folder."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lathe import _lathe


class Run:
    """The folder of a run, finished or not, read as it is.

    Every method reads its file anew, so that a run can be watched. What the run has not written yet
    is an Error that names the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not (self.path / "config.toml").is_file() and not (self.path / "train.json").is_file():
            raise _lathe.Error(f"{self.path}: expected the folder of a run, with its config.toml")

    def __repr__(self) -> str:
        return f"lathe.Run({str(self.path)!r})"

    def result(self) -> dict[str, Any]:
        """result.json: the answer for each target, what was measured and trained."""
        return self._json("result.json")

    def metrics(self) -> dict[str, npt.NDArray[Any]]:
        """metrics.jsonl by column: an array of float64, or of objects where there are texts.

        Members of objects are named by their path, as in metrics.csv: `top1/largest`. What a record
        lacks is NaN, or None among objects.
        """
        records = [_flat(record) for record in self._lines("metrics.jsonl")]
        names = dict.fromkeys(name for record in records for name in record)
        return {name: _column([record.get(name) for record in records]) for name in names}

    @cached_property
    def space(self) -> _lathe.Space:
        """The space whose nets were measured, for the task that they were trained for."""
        fingerprint = self._fingerprint()
        file = self.path / "space.json"
        name = str(file) if file.is_file() else fingerprint["space"]
        task = {key: fingerprint[key] for key in ("in_channels", "num_classes")}
        # A size of its own would leave no choice of a resolution.
        if _lathe.space(name).task["input_size"] != fingerprint["input_size"]:
            task["input_size"] = fingerprint["input_size"]
        return _lathe.space(name, **task)

    @cached_property
    def trained_space(self) -> _lathe.Space:
        """The part of the space that was trained, or all of it: what the predictor is of."""
        within = self._json("train.json").get("within")
        if within is None:
            return self.space
        return self.space.part(*(self.space.from_dict(within[end]) for end in ("lowest", "highest")))

    def latency_model(self) -> _lathe.LatencyModel:
        """latency.json: the model of the device."""
        return _lathe.load_latency_model(self.space, self.path / "latency.json")

    def accuracy_predictor(self) -> _lathe.AccuracyPredictor:
        """accuracy.safetensors, or accuracy.json of a width search; of trained_space."""
        files = [self.path / name for name in ("accuracy.safetensors", "accuracy.json")]
        found = [file for file in files if file.is_file()]
        return _lathe.load_accuracy_predictor(self.trained_space, (found or files)[0])

    def latency_samples(self) -> _lathe.LatencySamples:
        """latency_samples.jsonl, as read_latency_samples() gives it."""
        return _lathe.read_latency_samples(self.space, self.path / "latency_samples.jsonl")

    def accuracy_samples(self) -> _lathe.AccuracySamples:
        """accuracy_samples.jsonl, as read_accuracy_samples() gives it; of trained_space."""
        return _lathe.read_accuracy_samples(
            self.trained_space, self.path / "accuracy_samples.jsonl"
        )

    def candidates(self) -> list[dict[str, Any]]:
        """candidates.jsonl: the nets of the search that were evaluated, as arch and accuracy."""
        lines = self._lines("candidates.jsonl")[1:]  # the first has the conditions
        return [{**line, "arch": self.space.from_dict(line["arch"])} for line in lines]

    def _fingerprint(self) -> dict[str, Any]:
        file, member = "result.json", "device"
        if (self.path / "latency.json").is_file():
            file, member = "latency.json", "fingerprint"
        fingerprint = self._json(file).get(member)
        if not isinstance(fingerprint, dict):
            raise _lathe.Error(f"{self.path / file}: expected \"{member}\", an object")
        return fingerprint

    def _text(self, name: str) -> str:
        path = self.path / name
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise _lathe.Error(f"{path}: cannot read: {reason}") from None

    def _json(self, name: str) -> dict[str, Any]:
        return _parse(self._text(name), self.path / name)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        """The complete lines: the last may be one that is being written."""
        lines = self._text(name).split("\n")[:-1]
        return [_parse(line, f"{self.path / name}:{i}") for i, line in enumerate(lines, 1) if line]


def _parse(text: str, where: object) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _lathe.Error(f"{where}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise _lathe.Error(f"{where}: expected a JSON object")
    return value


def _flat(record: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{path}{key}/"))
        else:
            flat[path + key] = value
    return flat


def _column(values: list[Any]) -> npt.NDArray[Any]:
    if all(value is None or isinstance(value, (int, float)) for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
