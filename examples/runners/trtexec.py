#!/usr/bin/env python3
"""Times ONNX models with TensorRT's trtexec: a runner for
`lathe ... --runner command --protocol 2`.

  lathe specialize --from runs/mine --out runs/gpu --runner command --protocol 2 \
    --command 'examples/runners/trtexec.py --noTF32'

Arguments are options of trtexec, of building an engine and of running it (--fp16, --useCudaGraph).
An engine is built once for each model; each turn starts trtexec, which loads it. A run's latency is
trtexec's: the transfers to and from the GPU and what lies between. compute_ms is the latter alone.
"""

import json
import os
import re
import shutil
import statistics
import sys
import tempfile

from protocol import Janitor, serve

WARM_UP_MS = 200  # the GPU's clocks rise in that time


def version_text(number):
    """8601 is 8.6.1, 100900 is 10.9.0."""
    major = 10000 if number >= 100000 else 1000
    return f"{number // major}.{number % major // 100}.{number % 100}"


class Trtexec:
    def __init__(self, options):
        self.options = options
        self.engines = {}  # of each model: its engine, and options that say the input's size
        folder = self.folder = tempfile.mkdtemp(prefix="lathe_trtexec_")
        self.janitor = Janitor(lambda: shutil.rmtree(folder, ignore_errors=True))

    def run(self, *arguments):
        return self.janitor.run(["trtexec", *arguments, *self.options])

    def hello(self, request):
        self.batch = request["batch"]
        self.precision = {}  # float32, or the models'
        if request.get("precision") == "int8":
            if not {"--int8", "--stronglyTyped"} & set(self.options):
                self.options.append("--int8")
        elif "--fp16" in self.options or "--best" in self.options:
            self.precision = {"precision": "mixed" if "--best" in self.options else "float16"}
        # Which GPU and which version, trtexec says when it has one to run on: see time().
        return {"device": "a GPU", "runtime": "trtexec"}

    def load(self, request):
        engine = os.path.join(self.folder, f"{len(self.engines)}.engine")
        shapes = []
        if self.batch != 1 and request["input_shape"]:  # otherwise it is fixed in the model
            shapes = ["--shapes=input:" + "x".join(map(str, request["input_shape"]))]
        # Versions differ in how the runs after building are left out; one run is short.
        self.run(f"--onnx={request['model']}", f"--saveEngine={engine}", *shapes,
                 "--iterations=1", "--duration=0", "--warmUp=0", "--avgRuns=1")
        self.engines[request["model"]] = (engine, shapes)

    def time(self, request):
        count = request["warmup_runs"] + request["runs"]
        times = os.path.join(self.folder, "times.json")
        engine, shapes = self.engines[request["model"]]
        said = self.run(f"--loadEngine={engine}", f"--exportTimes={times}", *shapes,
                        f"--iterations={count}", f"--avgRuns={count}", "--duration=0",
                        f"--warmUp={WARM_UP_MS}")
        with open(times, encoding="utf-8") as file:
            runs = json.load(file)
        os.remove(times)
        # Some versions list the runs of the warm-up as well, whose clock begins at 0.
        runs = [run for run in runs if run["startComputeMs"] >= WARM_UP_MS]
        runs = runs[request["warmup_runs"]:][:request["runs"]]
        version = re.search(r"\[TensorRT v(\d+)\]", said)
        device = re.search(r"Selected Device: (.+)", said)
        return {
            "device": device.group(1).strip() if device else "a GPU",
            "runtime": " ".join(["TensorRT", version_text(int(version.group(1))), *self.options]
                                if version else ["trtexec", *self.options]),
            "latencies_ms": [run["latencyMs"] for run in runs],
            "compute_ms": statistics.mean(run["computeMs"] for run in runs),
            **self.precision,
        }

    def unload(self, request):
        os.remove(self.engines[request["model"]][0])


if __name__ == "__main__":
    serve(Trtexec(sys.argv[1:]))
