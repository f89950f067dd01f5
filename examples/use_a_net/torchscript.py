#!/usr/bin/env python3
"""Runs the TorchScript nets of a finished run on a test set's files, without Lathe.

    apt-get install --no-install-recommends python3-torch
    examples/use_a_net/torchscript.py runs/quickstart [FOLDER WITH t10k-images-idx3-ubyte]

Pixels go in divided by 255, at the net's size: what else a net has to be told is in result.json, and in
the model itself as the extra file input.json. Fails unless every accuracy is that of result.json.
"""
import gzip
import json
import pathlib
import sys

import torch


def idx(folder, name, header_bytes):
    """The values of an idx file, compressed or plain, and its first dimensions."""
    path = folder / (name + ".gz")
    data = gzip.open(path).read() if path.exists() else (folder / name).read_bytes()
    sizes = [int.from_bytes(data[i:i + 4], "big") for i in range(4, header_bytes, 4)]
    return torch.frombuffer(bytearray(data[header_bytes:]), dtype=torch.uint8).view(sizes)


def smaller(images, size):
    """Each pixel the mean of the area that it covers, a byte as in the images that the net has seen."""
    scale = images.shape[2] / size
    assert scale > 1, "this example does not make images larger"
    begin = torch.arange(size, dtype=torch.double).unsqueeze(1) * scale
    pixel = torch.arange(images.shape[2], dtype=torch.double)
    covered = (torch.minimum(begin + scale, pixel + 1) - torch.maximum(begin, pixel)).clamp(min=0)
    shares = covered / scale
    return (shares @ images.double() @ shares.T).add(0.5).floor()


def accuracy(path, images, labels):
    extra = {"input.json": ""}
    net = torch.jit.load(str(path), _extra_files=extra)
    expects = json.loads(extra["input.json"])
    assert expects["input_range"] == [0, 1] and expects["input_layout"] == "NCHW"
    size = expects["input_size"]
    if images.shape[2] != size:
        images = smaller(images, size)
    right = 0
    with torch.no_grad():
        for pixels, answers in zip(images.split(500), labels.split(500)):
            right += int((net(pixels.float() / 255).argmax(1) == answers).sum())
    return right / len(labels)


run = pathlib.Path(sys.argv[1])
data = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "/usr/share/datasets/fashion-mnist")
images = idx(data, "t10k-images-idx3-ubyte", 16).unsqueeze(1)
labels = idx(data, "t10k-labels-idx1-ubyte", 8).long()
result = json.loads((run / "result.json").read_text())
# Of lathe run, the answers to its targets; of lathe train --method plain, the one net.
nets = result.get("targets", [{"dir": ".", "test_accuracy": result.get("test_top1")}])
same = True
for net in nets:
    if net.get("feasible", True):
        path = run / net["dir"] / "model.pt"
        found = accuracy(path, images, labels)
        same = same and found == net["test_accuracy"]
        print(f"{path}: {100 * found:.2f}% of {len(labels)} test images, "
              f"result.json says {100 * net['test_accuracy']:.2f}%")
sys.exit(0 if same else "not what result.json says")
