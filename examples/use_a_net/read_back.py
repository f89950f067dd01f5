#!/usr/bin/env python3
"""Reads a net's weights back without Lathe and without torch, and says what is in them.

    examples/use_a_net/read_back.py runs/quickstart/nets/0.751ms
"""
import json
import pathlib
import struct
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
file = (folder / "weights.safetensors").read_bytes()
(length,) = struct.unpack("<Q", file[:8])
header, data = json.loads(file[8:8 + length]), file[8 + length:]
says = header.pop("__metadata__")  # the weights expect (pixel - mean) / stddev
for member in "normalized_by", "normalization", "input_size", "input_colors", "resize", "classes":
    print(member, says[member])
print("arch", json.dumps(json.loads((folder / "arch.json").read_text())))
for name, entry in header.items():
    begin, end = entry["data_offsets"]
    tensor = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    print(name, tensor.shape, f"{tensor.min():.4g} to {tensor.max():.4g}")
