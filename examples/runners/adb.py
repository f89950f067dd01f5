#!/usr/bin/env python3
"""Times ONNX models on a phone with ONNX Runtime's onnxruntime_perf_test, over adb: a runner for
`lathe ... --runner command --protocol 2`.

  adb push onnxruntime_perf_test libonnxruntime.so /data/local/tmp/ort/
  lathe specialize --from runs/mine --out runs/phone --runner command --protocol 2 \
    --command 'examples/runners/adb.py --on "taskset 80" /data/local/tmp/ort/onnxruntime_perf_test'

After the program's path there come its own options, such as -e xnnpack. --serial says which phone,
--on what the program is started by. Models lie in a folder beside it that is removed in the end.
"""

import argparse
import os
import re
import shlex
import subprocess

from protocol import Janitor, serve


def remote_folder(program):
    return f"{os.path.dirname(program)}/lathe_{os.getpid()}_{os.urandom(4).hex()}"


class Phone:
    def __init__(self, o):
        self.adb = ["adb", *(["-s", o.serial] if o.serial else [])]
        self.program, self.started_by, self.options = o.program, o.on, o.options
        self.folder = remote_folder(o.program)
        self.models = {}
        self.janitor = Janitor(self.clean)

    def clean(self):
        """By the janitor: ends what still runs on the phone, and removes what was put there."""
        folder = shlex.quote(self.folder)
        subprocess.run([*self.adb, "shell", f"kill -9 $(cat {folder}/pid); rm -rf {folder}"],
                       timeout=60, check=False)

    def shell(self, line):
        return self.janitor.run([*self.adb, "shell", line])

    def hello(self, request):
        self.threads, self.batch = request["threads"], request["batch"]
        folder, program = shlex.quote(self.folder), shlex.quote(self.program)
        library = shlex.quote(os.path.dirname(self.program) + "/libonnxruntime.so")
        facts = self.shell(
            f"mkdir {folder} && for name in ro.product.manufacturer ro.product.model ro.soc.model "
            f"ro.build.version.release; do getprop $name; done; "
            f"cat {program} {library} 2> /dev/null | cksum").splitlines()
        maker, model, chip, android, checksum = (fact.strip() for fact in facts)
        # It doesn't say its version: a checksum tells versions apart.
        runtime = ["onnxruntime_perf_test", checksum.split()[0], *self.options]
        return {"device": f"{maker} {model}" + (f" ({chip})" if chip else ""),
                "runtime": " ".join([*runtime, self.started_by, f"Android {android}"]).strip()}

    def load(self, request):
        model = f"{self.folder}/{len(self.models)}.onnx"
        self.janitor.run([*self.adb, "push", request["model"], model])
        self.models[request["model"]] = model

    def time(self, request):
        model = shlex.quote(self.models[request["model"]])
        # Its first run is uncounted too.
        count = request["warmup_runs"] + request["runs"]
        command = [self.program, "-I", "-m", "times", "-r", count, "-x", self.threads,
                   *(["-f", f"N:{self.batch}"] if self.batch != 1 else []), *self.options]
        command = " ".join(shlex.quote(str(word)) for word in command)
        libraries = shlex.quote(os.path.dirname(self.program))
        folder = shlex.quote(self.folder)
        said = self.shell(
            f"cd {folder} && export LD_LIBRARY_PATH={libraries} && rm -f times && "
            f"(sh -c 'echo $$ > pid; exec \"$@\"' - {self.started_by} {command} {model} times "
            "> said 2>&1; status=$?; rm -f pid; "
            "[ $status = 0 ] || { tail -n 1 said >&2; exit 1; }) && cat times && dumpsys battery")
        # A line a run: the model's name, seconds, bytes of memory, % of the cores, its number.
        runs = re.findall(r"^.*,([0-9.e+-]+),(\d+),(\d+),(\d+)\s*$", said, re.MULTILINE)
        counted = runs[request["warmup_runs"]:]
        if not counted:
            raise RuntimeError(f"expected runs in its results, got {said.strip()[:80]!r}")
        return {"latencies_ms": [1000 * float(seconds) for seconds, *_ in counted],
                "device_memory_mb": max(int(memory) for _, memory, *_ in counted) / 1e6,
                "conditions": {
                    name: int(found.group(1)) / unit
                    for name, pattern, unit in [("celsius", r"temperature: (\d+)", 10),
                                                ("battery_percent", r"level: (\d+)", 1)]
                    if (found := re.search(pattern, said))}}

    def unload(self, request):
        self.shell(f"rm -f {shlex.quote(self.models[request['model']])}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a runner for lathe: models on a phone, over adb")
    parser.add_argument("--serial", help="of the phone, where there are several")
    parser.add_argument("--on", default="", help="what the program is started by: 'taskset 80'")
    parser.add_argument("program", help="onnxruntime_perf_test on the phone")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="of that program")
    serve(Phone(parser.parse_args()))
