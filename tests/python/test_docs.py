"""The tour in docs/python.md prints what it says, and the example runs."""

import contextlib
import importlib.util
import io
import os
import re
from pathlib import Path

import numpy as np

SOURCE = Path(os.environ["LATHE_SOURCE"])


def test_the_tour_prints_what_the_page_says():
    text = (SOURCE / "docs" / "python.md").read_text()
    code, printed = re.search(r"```python\n(.*?)```\n\nprints\n\n```\n(.*?)```", text, re.S).groups()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    assert out.getvalue() == printed


def test_the_example_without_published_tables():
    path = SOURCE / "examples" / "python" / "multi_target_table.py"
    spec = importlib.util.spec_from_file_location("multi_target_table", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    problem = example.made_up_problem()
    bottom_up, _ = example.mean_accuracies(problem, "bottom-up", seeds=1)
    all_targets, _ = example.mean_accuracies(problem, "all-targets", seeds=1)
    assert len(all_targets) == len(problem[3]) and np.all(np.diff(all_targets) >= 0)
    assert np.all(all_targets >= bottom_up - 1e-3)
