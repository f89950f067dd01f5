"""What runners in Python share: protocol 2 of docs/runners.md, and leaving nothing behind."""

import json
import os
import select
import signal
import subprocess
import sys


PATIENCE_MS = 5000  # with a runner whose command has been ended


class Janitor:
    """Calls clean() when this program has ended, however it ended, and ends what it had started.

    Lathe ends a runner by closing its standard input, and half a second later by a signal that no
    program can handle; where Lathe itself was killed, there is the end of the input alone, which a
    runner that waits for a command doesn't see. So this is another process: the end of a pipe tells
    it that the program is gone, that of the input that nobody needs the command's answer. Commands
    are run in its process group, not the runner's.
    """

    def __init__(self, clean):
        read_end, self._write_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._write_end)
            self._wait(read_end, clean)
        os.close(read_end)
        self._join(self._pid)

    def run(self, command):
        """What `command`, a list, prints. RuntimeError with its last words if it fails."""
        process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                 errors="replace", preexec_fn=lambda: self._join(0), check=False)
        if process.returncode != 0:
            words = (process.stderr.strip() or process.stdout.strip()).splitlines()
            raise RuntimeError(f"{command[0]}: exit status {process.returncode}"
                               + (f"; its last words: {words[-1]}" if words else ""))
        return process.stdout

    def _join(self, pid):
        try:
            os.setpgid(pid, self._pid)
        except OSError:
            pass  # the janitor has made its group itself, and runs its program already

    @staticmethod
    def _wait(read_end, clean):
        os.setpgid(0, 0)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        asked = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        ends = select.poll()
        for descriptor in (read_end, asked):
            ends.register(descriptor, 0)  # their ends are told in any case
        if read_end not in (descriptor for descriptor, _ in ends.poll()):
            os.killpg(0, signal.SIGTERM)
            ends.unregister(asked)
            ends.poll(PATIENCE_MS)
        os.killpg(0, signal.SIGTERM)
        try:
            clean()
        finally:
            os.killpg(0, signal.SIGKILL)


def serve(runner):
    """Answers requests until there are no more. `runner` has hello(), load(), time() and unload(),
    which get the request and give the members of the answer."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(runner, request["request"])(request) or {}
        except Exception as error:  # whatever it was, the next request may do
            answer = {"error": (str(error) or type(error).__name__).splitlines()[0]}
        print(json.dumps({"id": request["id"], **answer}), flush=True)
