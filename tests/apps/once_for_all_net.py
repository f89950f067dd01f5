"""Files of the once-for-all project's form with random weights, and what a net of them computes, by
NumPy alone: once_for_all_net.py SPACE FOLDER. Knows neither Lathe nor the importer.

Writes into FOLDER:
  supernet.pth, legacy.pth   the supernet's state, in torch.save's two formats
  torch.pth, torch_legacy.pth   the same by torch itself, where it is installed
  arch.json, net.config, specialized.pth   one net of it, alone: as its authors publish those
  pixels.f32, logits.f32   two images in [0, 1], and what that net says of them
  images/<class>/*.png   a data set of its classes
  missing.pth, shape.pth, unknown.pth, evil.pth, cut.pth, legacy_cut.pth, none.pth   what has to be
    refused; of the first space alone
"""
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import sys
import types
import zipfile
import zlib

import numpy as np

RESOLUTION = 128
CLASSES = ["cat", "dog", "owl"]
MOBILE = ["relu", "relu", "h_swish", "h_swish", "h_swish"]
NETS = {
    "ofa_mbv3_w1.0": {"widths": [16, 16, 24, 40, 80, 112, 160], "head": 960, "mix": 1280,
                      "acts": MOBILE, "se": [0, 1, 0, 1, 1], "eps": 1e-5},
    "ofa_mbv3_w1.2": {"widths": [24, 24, 32, 48, 96, 136, 192], "head": 1152, "mix": 1536,
                      "acts": MOBILE, "se": [0, 1, 0, 1, 1], "eps": 1e-5},
    "ofa_proxyless_w1.3": {"widths": [40, 24, 32, 56, 104, 128, 248, 416], "head": 1664, "mix": 0,
                           "acts": ["relu6"] * 6, "se": [0] * 6, "eps": 1e-3},
}
STRIDES = [2, 2, 2, 1, 2, 1]
BLOCKS = [4, 4, 4, 4, 4, 1]


def round_channels(value):
    new = max(8, int(value + 4) // 8 * 8)
    return new + 8 if new < 0.9 * value else new


class Weights:
    """A state as the project's modules name it; `static`: of layers that don't shrink."""

    def __init__(self, rng, static):
        self.rng, self.static, self.state = rng, static, collections.OrderedDict()

    def put(self, key, array):
        self.state[key] = np.asarray(array, np.float32)

    def conv(self, key, shape):
        self.put(key, self.rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape))

    def norm(self, key, n):
        # Of a size with which what is in an image neither fades nor grows through the layers.
        self.put(f"{key}.weight", self.rng.uniform(0.8, 1.3, n))
        self.put(f"{key}.bias", self.rng.uniform(-0.2, 0.2, n))
        self.put(f"{key}.running_mean", self.rng.uniform(-0.3, 0.3, n))
        self.put(f"{key}.running_var", self.rng.uniform(0.5, 1.5, n))
        self.state[f"{key}.num_batches_tracked"] = np.asarray(7, np.int64)

    def layer(self, key, shape, elastic):
        self.conv(f"{key}.conv.conv.weight" if elastic else f"{key}.conv.weight", shape)
        self.norm(f"{key}.bn.bn" if elastic else f"{key}.bn", shape[0])


def supernet(net, rng):
    w = Weights(rng, False)
    widths = net["widths"]
    w.layer("first_conv", (widths[0], 3, 3, 3), False)
    first = "blocks.0.mobile_inverted_conv"
    w.layer(f"{first}.depth_conv", (widths[0], 1, 3, 3), False)
    w.layer(f"{first}.point_linear", (widths[1], widths[0], 1, 1), False)
    inside, number = widths[1], 1
    for stage, out in enumerate(widths[2:]):
        for _ in range(BLOCKS[stage]):
            key = f"blocks.{number}.mobile_inverted_conv"
            mid = round_channels(6 * inside)
            w.layer(f"{key}.inverted_bottleneck", (mid, inside, 1, 1), True)
            w.layer(f"{key}.depth_conv", (mid, 1, 7, 7), True)
            for large, small in (7, 5), (5, 3):
                n = small * small
                w.put(f"{key}.depth_conv.conv.{large}to{small}_matrix",
                      np.eye(n) + rng.normal(0, 0.1, (n, n)))
            if net["se"][stage]:
                se, small = f"{key}.depth_conv.se.fc", round_channels(mid // 4)
                w.conv(f"{se}.reduce.weight", (small, mid, 1, 1))
                w.put(f"{se}.reduce.bias", rng.uniform(-0.1, 0.1, small))
                w.conv(f"{se}.expand.weight", (mid, small, 1, 1))
                w.put(f"{se}.expand.bias", rng.uniform(-0.1, 0.1, mid))
            w.layer(f"{key}.point_linear", (out, mid, 1, 1), True)
            inside, number = out, number + 1
    head = "final_expand_layer" if net["mix"] else "feature_mix_layer"
    w.layer(head, (net["head"], inside, 1, 1), False)
    if net["mix"]:
        w.conv("feature_mix_layer.conv.weight", (net["mix"], net["head"], 1, 1))
    w.put("classifier.linear.weight",
          rng.normal(0, 0.05, (len(CLASSES), net["mix"] or net["head"])))
    w.put("classifier.linear.bias", rng.uniform(-0.1, 0.1, len(CLASSES)))
    return w.state


# --- one net of it, sliced as the project's layers slice


def kernel(state, key, size):
    weight = state[f"{key}.conv.weight"].astype(np.float64)
    for large, small in (7, 5), (5, 3):
        if size < large:
            centre = weight[:, :, 1:large - 1, 1:large - 1].reshape(len(weight), small * small)
            matrix = state[f"{key}.{large}to{small}_matrix"].astype(np.float64)
            weight = np.einsum("ci,oi->co", centre, matrix).reshape(-1, 1, small, small)
    return weight


def specialized(net, state, arch):
    """The net of `arch` alone: its blocks numbered through, in layers that don't shrink."""
    one = collections.OrderedDict()

    def norm(to, of, n):
        for part in "weight", "bias", "running_mean", "running_var":
            one[f"{to}.{part}"] = state[f"{of}.{part}"][:n]

    def whole(*prefixes):
        for key in state:
            if key.startswith(prefixes):
                one[key] = state[key]

    whole("first_conv.", "blocks.0.")
    inside, slot, number = net["widths"][1], 0, 1
    for stage, out in enumerate(net["widths"][2:]):
        for b in range(arch["d"][stage] if stage < 5 else 1):
            of = f"blocks.{1 + slot + b}.mobile_inverted_conv"
            to = f"blocks.{number}.mobile_inverted_conv"
            mid = round_channels(round(inside * arch["e"][slot + b]))
            one[f"{to}.inverted_bottleneck.conv.weight"] = \
                state[f"{of}.inverted_bottleneck.conv.conv.weight"][:mid]
            norm(f"{to}.inverted_bottleneck.bn", f"{of}.inverted_bottleneck.bn.bn", mid)
            one[f"{to}.depth_conv.conv.weight"] = kernel(
                state, f"{of}.depth_conv.conv", arch["ks"][slot + b])[:mid].astype(np.float32)
            norm(f"{to}.depth_conv.bn", f"{of}.depth_conv.bn.bn", mid)
            if net["se"][stage]:
                small = round_channels(mid // 4)
                se = "depth_conv.se.fc"
                one[f"{to}.{se}.reduce.weight"] = state[f"{of}.{se}.reduce.weight"][:small, :mid]
                one[f"{to}.{se}.reduce.bias"] = state[f"{of}.{se}.reduce.bias"][:small]
                one[f"{to}.{se}.expand.weight"] = state[f"{of}.{se}.expand.weight"][:mid, :small]
                one[f"{to}.{se}.expand.bias"] = state[f"{of}.{se}.expand.bias"][:mid]
            one[f"{to}.point_linear.conv.weight"] = \
                state[f"{of}.point_linear.conv.conv.weight"][:, :mid]
            norm(f"{to}.point_linear.bn", f"{of}.point_linear.bn.bn", out)
            inside, number = out, number + 1
        slot += BLOCKS[stage]
    whole("final_expand_layer.", "feature_mix_layer.", "classifier.")
    return one


def net_config(net, arch):
    """What the project's net.config says of the net, as far as it tells nets of a space apart."""
    blocks, inside, slot = [{"mobile_inverted_conv": {}, "shortcut": None}], net["widths"][1], 0
    for stage, out in enumerate(net["widths"][2:]):
        for b in range(arch["d"][stage] if stage < 5 else 1):
            shortcut = (STRIDES[stage] == 1 or b > 0) and inside == out
            blocks.append({"mobile_inverted_conv": {"kernel_size": arch["ks"][slot + b],
                                                    "expand_ratio": arch["e"][slot + b]},
                           "shortcut": {"name": "IdentityLayer"} if shortcut else None})
            inside = out
        slot += BLOCKS[stage]
    return {"blocks": blocks}


# --- what it computes, in double


def activate(x, name):
    if name == "h_swish":
        return x * np.clip(x + 3, 0, 6) / 6
    return np.clip(x, 0, 6 if name == "relu6" else np.inf)


def convolve(x, weight, stride=1, depthwise=False):
    k = weight.shape[-1]
    x = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::stride, ::stride]
    if depthwise:
        return np.einsum("nchwij,cij->nchw", windows, weight[:, 0])
    return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)


def forward(net, one, arch, x):
    one = {key: array.astype(np.float64) for key, array in one.items()}

    def layer(x, key, act=None, **options):
        x = convolve(x, one[f"{key}.conv.weight"], **options)
        n = {part: one[f"{key}.bn.{part}"][:, None, None]
             for part in ("weight", "bias", "running_mean", "running_var")}
        x = (x - n["running_mean"]) / np.sqrt(n["running_var"] + net["eps"])
        x = x * n["weight"] + n["bias"]
        return activate(x, act) if act else x

    def gate(x, key):
        y = x.mean((2, 3))
        y = y @ one[f"{key}.reduce.weight"][:, :, 0, 0].T + one[f"{key}.reduce.bias"]
        y = np.maximum(y, 0) @ one[f"{key}.expand.weight"][:, :, 0, 0].T + one[f"{key}.expand.bias"]
        return x * (np.clip(y + 3, 0, 6) / 6)[:, :, None, None]

    proxyless = not net["mix"]
    stem = "relu6" if proxyless else "h_swish"
    x = layer(x, "first_conv", stem, stride=2)
    first = "blocks.0.mobile_inverted_conv"
    y = layer(x, f"{first}.depth_conv", "relu6" if proxyless else "relu", depthwise=True)
    y = layer(y, f"{first}.point_linear")
    x = y if proxyless else x + y
    number = 1
    for stage, act in enumerate(net["acts"]):
        for b in range(arch["d"][stage] if stage < 5 else 1):
            key = f"blocks.{number}.mobile_inverted_conv"
            stride = STRIDES[stage] if b == 0 else 1
            y = layer(x, f"{key}.inverted_bottleneck", act)
            y = layer(y, f"{key}.depth_conv", act, stride=stride, depthwise=True)
            if net["se"][stage]:
                y = gate(y, f"{key}.depth_conv.se.fc")
            y = layer(y, f"{key}.point_linear")
            x = x + y if stride == 1 and x.shape == y.shape else y
            number += 1
    x = layer(x, "feature_mix_layer" if proxyless else "final_expand_layer", stem)
    x = x.mean((2, 3))
    if net["mix"]:
        x = activate(x @ one["feature_mix_layer.conv.weight"][:, :, 0, 0].T, "h_swish")
    return x @ one["classifier.linear.weight"].T + one["classifier.linear.bias"]


# --- torch.save without torch


class FloatStorage:
    """Named as torch's, and pickled by reference."""


class LongStorage:
    """The same, of counters."""


def _rebuild_tensor_v2():
    """The name of torch's function."""


torch = types.ModuleType("torch")
torch.FloatStorage, torch.LongStorage = FloatStorage, LongStorage
FloatStorage.__module__ = LongStorage.__module__ = "torch"
torch._utils = types.ModuleType("torch._utils")
torch._utils._rebuild_tensor_v2 = _rebuild_tensor_v2
_rebuild_tensor_v2.__module__ = "torch._utils"


class Tensor:
    def __init__(self, array, key):
        self.array, self.key = array, key

    def __reduce__(self):
        strides = tuple(stride // self.array.itemsize for stride in self.array.strides)
        return _rebuild_tensor_v2, (Saved(self), 0, self.array.shape, strides, False,
                                    collections.OrderedDict())


class Saved:
    def __init__(self, tensor):
        self.tensor = tensor


class Pickler(pickle.Pickler):
    def __init__(self, file, legacy):
        super().__init__(file, protocol=2)
        self.legacy = legacy

    def persistent_id(self, saved):
        if not isinstance(saved, Saved):
            return None
        kind = LongStorage if saved.tensor.array.dtype == np.int64 else FloatStorage
        id_ = ("storage", kind, saved.tensor.key, "cpu", saved.tensor.array.size)
        return (*id_, None) if self.legacy else id_


def with_fake_torch(save):
    def saving(*args):
        real = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
        sys.modules["torch"], sys.modules["torch._utils"] = torch, torch._utils
        try:
            save(*args)
        finally:
            for name, module in real.items():
                del sys.modules[name]
                if module:
                    sys.modules[name] = module
    return saving


def as_tensors(state):
    tensors = collections.OrderedDict(
        (key, Tensor(np.ascontiguousarray(array), str(i))) for i, (key, array) in
        enumerate(state.items()))
    tensors._metadata = collections.OrderedDict(version=1)  # as a module's state has
    return tensors


@with_fake_torch
def save_zip(path, state):
    tensors = as_tensors(state)
    pickled = io.BytesIO()
    Pickler(pickled, False).dump({"epoch": 3, "state_dict": tensors})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled.getvalue())
        for tensor in tensors.values():
            archive.writestr(f"archive/data/{tensor.key}", tensor.array.tobytes())


@with_fake_torch
def save_legacy(path, state):
    tensors = as_tensors(state)
    with open(path, "wb") as file:
        for part in 0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}:
            pickle.dump(part, file, protocol=2)
        Pickler(file, True).dump({"state_dict": tensors})
        pickle.dump([tensor.key for tensor in tensors.values()], file, protocol=2)
        for tensor in tensors.values():
            file.write(struct.pack("<q", tensor.array.size) + tensor.array.tobytes())


def save_by_torch(folder, state):
    try:
        import torch as real  # pylint: disable=import-outside-toplevel
    except ImportError:
        return
    tensors = collections.OrderedDict(
        (key, real.from_numpy(array.copy())) for key, array in state.items())
    real.save({"state_dict": tensors}, folder / "torch.pth")
    real.save({"state_dict": tensors}, folder / "torch_legacy.pth",
              _use_new_zipfile_serialization=False)


# --- what has to be refused


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def save_refused(folder, state):
    a_key = "blocks.5.mobile_inverted_conv.depth_conv.conv.conv.weight"
    save_zip(folder / "missing.pth", {k: v for k, v in state.items() if k != a_key})
    save_zip(folder / "shape.pth", {**state, a_key: state[a_key][:, :, 1:6, 1:6]})
    save_zip(folder / "unknown.pth", {**state, "blocks.99.more.weight": state[a_key]})
    with zipfile.ZipFile(folder / "evil.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(folder / "was_called"), protocol=2))
    whole = (folder / "supernet.pth").read_bytes()
    (folder / "cut.pth").write_bytes(whole[:len(whole) // 2])
    whole = (folder / "legacy.pth").read_bytes()
    (folder / "legacy_cut.pth").write_bytes(whole[:len(whole) // 2])
    (folder / "none.pth").write_bytes(b"no such file")


def write_png(path, image):
    """image: [height, width, 3] bytes."""
    def chunk(name, data):
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    height, width, _ = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" +
                     chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    net, rng = NETS[name], np.random.default_rng(5)
    stages = len(net["widths"]) - 2
    count = sum(BLOCKS[:stages])
    arch = {"space": name, "ks": rng.choice([3, 5, 7], count).tolist(),
            "e": rng.choice([3, 4, 6], count).tolist(), "d": [2, 3, 4, 2, 3], "r": RESOLUTION}
    (folder / "arch.json").write_text(json.dumps(arch))
    state = supernet(net, rng)
    save_zip(folder / "supernet.pth", state)
    save_legacy(folder / "legacy.pth", state)
    save_by_torch(folder, state)
    (folder / "net.config").write_text(json.dumps(net_config(net, arch)))
    one = specialized(net, state, arch)
    save_zip(folder / "specialized.pth", one)
    if name == "ofa_mbv3_w1.0":
        save_refused(folder, state)
    noise = rng.uniform(0, 1, (2, 3, RESOLUTION, RESOLUTION))
    pixels = (noise * np.linspace(0, 1, RESOLUTION)).astype(np.float32)
    pixels[1] = 1 - np.sqrt(pixels[1].transpose(0, 2, 1))
    mean = np.array([0.485, 0.456, 0.406])[:, None, None]
    stddev = np.array([0.229, 0.224, 0.225])[:, None, None]
    logits = forward(net, one, arch, (pixels - mean) / stddev)
    pixels.tofile(folder / "pixels.f32")
    logits.astype(np.float32).tofile(folder / "logits.f32")
    for label, class_name in enumerate(CLASSES):
        (folder / "images" / class_name).mkdir(parents=True)
        for i in range(12):
            image = rng.integers(0, 60, (224, 224, 3), dtype=np.uint8) + np.uint8(60 * label)
            write_png(folder / "images" / class_name / f"{i}.png", image)


main()
