#!/usr/bin/env python3
"""Takes over weights of the once-for-all project, a file of torch.save, without torch.

    scripts/import_once_for_all.py ofa_mbv3_d234_e346_k357_w1.0 --dataset imagenet --out runs/ofa
    lathe specialize --from runs/ofa --targets 20,30,40 --out runs/mine

    scripts/import_once_for_all.py init --arch net.config --out weights.safetensors
    lathe export --weights weights.safetensors --out model.onnx

The first makes a folder as `lathe train` leaves it, of a whole supernet: `lathe evaluate`, `export`
and `specialize` recalibrate batch norm on images of the data set, as once-for-all does. The second
makes a file of one net: a specialized net as it is, or one sliced out of a supernet, whose
statistics then are those of no net in particular. docs/using_a_net.md says more.
"""
import argparse
import collections
import json
import pathlib
import pickle
import re
import struct
import sys
import zipfile

try:
    import numpy as np
except ImportError:
    sys.exit("import_once_for_all: needs NumPy; on Debian: apt-get install python3-numpy")

# Channels of the stem, the first block and the stages; which of these have squeeze-and-excite, and
# how many blocks; where the features come from, and their channels.
Space = collections.namedtuple("Space", "stem first stages squeeze_excite blocks features")
SPACES = {
    "ofa_mbv3_w1.0": Space(16, 16, [24, 40, 80, 112, 160], [0, 1, 0, 1, 1], [4] * 5,
                           {"final_expand_layer": 960, "feature_mix_layer": 1280}),
    "ofa_mbv3_w1.2": Space(24, 24, [32, 48, 96, 136, 192], [0, 1, 0, 1, 1], [4] * 5,
                           {"final_expand_layer": 1152, "feature_mix_layer": 1536}),
    "ofa_proxyless_w1.3": Space(40, 24, [32, 56, 104, 128, 248, 416], [0] * 6, [4] * 5 + [1],
                                {"feature_mix_layer": 1664}),
}
MEAN, STDDEV = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # what the project trains with
NORM = ("weight", "bias", "running_mean", "running_var")


class BadFile(Exception):
    """Its text is one line that says what is wrong with which file."""


# --- files of torch.save

# A tensor as the file describes it. No array yet: a pickle may set the state of what it is given,
# and an array would take any.
Described = collections.namedtuple("Described", "storage offset shape strides")
Storage = collections.namedtuple("Storage", "dtype key")
DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2",
          "LongStorage": "<i8", "IntStorage": "<i4"}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


class TensorUnpickler(pickle.Unpickler):
    """Makes tensors, dictionaries, lists, texts and numbers. A pickle may name any function to be
    called: no other than these are."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *tensor: Described(*tensor[:4])
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module in ("torch", "torch.cuda") and name in DTYPES:
            return DTYPES[name]
        raise BadFile(f"holds {module}.{name}, which is no tensor")

    def persistent_load(self, saved):
        _, dtype, key, _, _, *views = saved
        if dtype not in DTYPES.values() or any(view is not None for view in views):
            raise BadFile(f"holds values of another kind: {saved}")
        return Storage(dtype, key)


def read_zip(file):
    """The object in the file, and a function that gives a storage's bytes."""
    archive = zipfile.ZipFile(file)
    (pickled,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    folder = pickled[:-len("data.pkl")]
    saved = TensorUnpickler(archive.open(pickled)).load()
    return saved, lambda storage: archive.read(f"{folder}data/{storage.key}")


def read_legacy(file):
    """The same of the format before torch 1.6: pickles, then the storages' values."""
    if TensorUnpickler(file).load() != LEGACY_MAGIC:
        raise BadFile("is no file of torch.save")
    for _ in "version", "system":
        TensorUnpickler(file).load()
    saved = TensorUnpickler(file).load()
    keys = TensorUnpickler(file).load()
    sizes = {}  # in bytes; the file has counts alone
    each_storage(saved, lambda s: sizes.setdefault(s.key, np.dtype(s.dtype).itemsize))
    values = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        values[key] = file.read(count * sizes[key])
    return saved, lambda storage: values[storage.key]


def each_storage(saved, visit):
    for value in saved.values() if isinstance(saved, dict) else saved:
        if isinstance(value, Described):
            visit(value.storage)
        elif isinstance(value, (dict, list, tuple)):
            each_storage(value, visit)


def read_state_dict(path):
    """The arrays of a file by name, float32; a checkpoint's, if it is one."""
    arrays = {}
    with open(path, "rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
        file.seek(0)
        saved, bytes_of = (read_zip if is_zip else read_legacy)(file)
        for key, tensor in saved.get("state_dict", saved).items():
            if isinstance(tensor, Described) and not key.endswith("num_batches_tracked"):
                storage = np.frombuffer(bytes_of(tensor.storage), tensor.storage.dtype)
                arrays[key] = as_array(storage, tensor)
    return arrays


def as_array(storage, tensor):
    """A copy, whatever the strides; refused if any value would lie outside the storage."""
    last = tensor.offset + sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides))
    if min((tensor.offset, *tensor.shape, *tensor.strides), default=0) < 0 or last >= storage.size:
        raise BadFile("a tensor lies outside its values")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset:], tensor.shape, strides)
    return np.array(view, "<f4", order="C")


# --- names and shapes


def make_divisible(value):
    """The project's rule for channels: the nearest multiple of 8, no less than nine tenths."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def batch_norm(ours, theirs, channels):
    return [(f"{ours}.{part}", f"{theirs}.{part}", (channels,)) for part in NORM]


def conv(ours, theirs, shape):
    """A convolution called `theirs`.conv and the batch norm after it."""
    weight = (f"{ours}.conv.weight", f"{theirs}.conv.weight", shape)
    return [weight, *batch_norm(f"{ours}.bn", f"{theirs}.bn", shape[0])]


def block(ours, theirs, channels, out, kernel, mid, squeeze_excite):
    """The tensors of an inverted residual block."""
    tensors = []
    if mid != channels:
        tensors += conv(f"{ours}.expand", f"{theirs}.inverted_bottleneck", (mid, channels, 1, 1))
    tensors += conv(f"{ours}.depthwise", f"{theirs}.depth_conv", (mid, 1, kernel, kernel))
    if squeeze_excite:
        small = make_divisible(mid // 4)
        for part, shape in ("reduce", (small, mid, 1, 1)), ("expand", (mid, small, 1, 1)):
            name, theirs_too = f"{ours}.se.{part}", f"{theirs}.depth_conv.se.fc.{part}"
            tensors += [(f"{name}.weight", f"{theirs_too}.weight", shape),
                        (f"{name}.bias", f"{theirs_too}.bias", shape[:1])]
    return tensors + conv(f"{ours}.project", f"{theirs}.point_linear", (out, mid, 1, 1))


def tensors_of(space, kernels, expansions, depths, classes, numbered_by):
    """The tensors of one net: (its name here, its name there, shape). `numbered_by`: how many
    blocks of each stage the other side counts."""
    tensors = conv("stem", "first_conv", (space.stem, 3, 3, 3))
    tensors += block("first", "blocks.0", space.stem, space.first, 3, space.stem, False)
    channels, slot, number = space.first, 0, 1
    for s, out in enumerate(space.stages):
        for b in range(depths[s]):
            mid = make_divisible(round(channels * expansions[slot + b]))
            tensors += block(f"stages.{s}.blocks.{b}", f"blocks.{number + b}", channels, out,
                             kernels[slot + b], mid, space.squeeze_excite[s])
            channels = out
        slot += space.blocks[s]
        number += numbered_by[s]
    (head, width), *mix = space.features.items()
    tensors += conv("head", head, (width, channels, 1, 1))
    for name, features in mix:
        tensors.append(("feature.conv.weight", f"{name}.conv.weight", (features, width, 1, 1)))
        width = features
    tensors += [("classifier.linear.weight", "classifier.linear.weight", (classes, width)),
                ("classifier.linear.bias", "classifier.linear.bias", (classes,))]
    return tensors


def kernel_matrices(tensors):
    """Those by which a supernet's 7x7 kernels become 5x5 and 3x3."""
    for ours, theirs, shape in tensors:
        if ".depthwise.conv" in ours and shape[-1] == 7:
            for large, small in (7, 5), (5, 3):
                yield (ours.replace("weight", f"transform_{large}_to_{small}"),
                       theirs.replace("weight", f"{large}to{small}_matrix"), (small**2, small**2))


def plain_name(key):
    """Layers that can shrink repeat a part of their names, and versions call a block's inside
    differently."""
    key = key.replace(".mobile_inverted_conv.", ".").replace(".conv.conv.", ".conv.")
    key = re.sub(r"^(blocks\.\d+)\.conv\.(?=inverted|depth|point)", r"\1.", key)
    return key.replace(".bn.bn.", ".bn.").replace(".linear.linear.", ".linear.")


def check(arrays, expected, keys, what):
    for _, theirs, shape in expected:
        if theirs not in arrays:
            raise BadFile(f"{theirs} is missing: are these weights of {what}?")
        if arrays[theirs].shape != shape:
            raise BadFile(f"{keys[theirs]} is {arrays[theirs].shape}, expected {shape} of {what}")
    unknown = arrays.keys() - {theirs for _, theirs, _ in expected}
    if unknown:
        raise BadFile(f"{keys[min(unknown)]} is none of the tensors of {what}")


def slice_to(array, shape, matrices):
    """The first channels; of a depthwise kernel its centre through the matrices. Layers that can
    shrink are stored at their largest."""
    array = array[tuple(slice(n) for n in shape[:2])]
    while array.ndim == 4 and array.shape[-1] > shape[-1]:
        small = array.shape[-1] - 2
        matrix = matrices[f"{small + 2}to{small}_matrix"]
        centre = array[:, :, 1:-1, 1:-1].reshape(-1, small**2)
        array = (centre @ matrix.T).reshape(*array.shape[:2], small, small)
    return array


# --- what is written


def save_safetensors(path, tensors, metadata):
    header, end = {"__metadata__": metadata}, 0
    for name in sorted(tensors):
        begin, end = end, end + tensors[name].nbytes
        header[name] = {"dtype": "F32", "shape": tensors[name].shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(tensors):
            file.write(np.ascontiguousarray(tensors[name]).tobytes())


def save_run(options, tensors):
    """A supernet as `lathe train --method ofa` leaves it."""
    train = {
        "version": 1, "method": "ofa", "space": options.space, "arch": None,
        "dataset": {"name": str(options.dataset.resolve()), "data_dir": "", "cache_dir": "",
                    "validation_size": options.validation_size, "image_size": options.image_size},
        "augment": {"crop_padding": 0, "horizontal_flip": True, "cutout": 0, "min_crop_area": 0.08,
                    "color_jitter": 0, "trivial_augment": False, "random_erasing": 0, "mixup": 0,
                    "cutmix": 0},
        "normalization": {"mean": MEAN, "stddev": STDDEV}, "shards": 2, "seed": 0}
    (options.out / "checkpoint").mkdir(parents=True)
    save_safetensors(options.out / "checkpoint/supernet.safetensors", tensors,
                     {"lathe_checkpoint": "2", "space": options.space, "steps_done": "0",
                      "settings": "{}", "state": "{}"})
    (options.out / "train.json").write_text(json.dumps(train, indent=2) + "\n")


def save_net(path, name, tensors, arch, classes):
    size = arch["r"]
    says = {"space": name, "arch": arch,
            "task": {"in_channels": 3, "num_classes": classes, "input_size": size},
            "input_range": [0, 1], "input_layout": "NCHW", "input_colors": "RGB",
            "input_size": size,
            "resize": {"center_crop_share": 0.875, "smaller": "area mean", "larger": "bilinear"},
            "normalization": {"mean": MEAN, "stddev": STDDEV},
            "classes": [str(i) for i in range(classes)]}
    metadata = {key: value if key == "space" else json.dumps(value) for key, value in says.items()}
    save_safetensors(path, tensors, {**metadata, "normalized_by": "caller"})


def class_folders(dataset):
    """Those of the training images, as Lathe reads them."""
    train = dataset / "train"
    folders = (train if train.is_dir() else dataset).iterdir()
    return [folder for folder in folders if folder.is_dir() and folder.name[0] != "."]


def whole(space, classes):
    """The tensors of the supernet: those of its largest net, and the matrices."""
    count = sum(space.blocks)
    tensors = tensors_of(space, [7] * count, [6] * count, space.blocks, classes, space.blocks)
    return tensors + list(kernel_matrices(tensors))


def take_supernet(options, space, arrays, keys, classes):
    tensors = whole(space, classes)
    check(arrays, tensors, keys, options.space)
    folders = len(class_folders(options.dataset))
    if folders != classes:
        raise BadFile(f"expected {classes} folders, one a class, in {options.dataset}, got {folders}")
    save_run(options, {ours: arrays[theirs] for ours, theirs, _ in tensors})


def arch_of(config, space):
    """The choices of a net that the project describes block by block: a stage begins with the block
    that has no shortcut. Blocks that aren't there have the last one's."""
    stages = []
    for block_config in config["blocks"][1:]:
        if block_config["shortcut"] is None:
            stages.append([])
        stages[-1].append(block_config.get("mobile_inverted_conv") or block_config["conv"])
    slots = [block_config for stage, count in zip(stages, space.blocks)
             for block_config in stage + stage[-1:] * (count - len(stage))]
    return {"ks": [slot["kernel_size"] for slot in slots],
            "e": [slot["expand_ratio"] for slot in slots],
            "d": [len(stage) for stage in stages[:5]]}


def read_arch(path, name, space, image_size):
    try:
        given = json.loads(path.read_text())
        arch = {"space": name, "r": image_size,
                **(arch_of(given, space) if "blocks" in given else given)}
        lengths = [len(arch[group]) for group in ("ks", "e", "d")]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise BadFile(f"expected an arch of {name} in {path}, got {error!r}") from error
    count = sum(space.blocks)
    if arch["space"] != name or lengths != [count, count, 5]:
        raise BadFile(f"expected an arch of {name}, {path} is another space's")
    return arch


def take_net(options, space, arrays, keys, classes):
    arch = read_arch(options.arch, options.space, space, options.image_size)
    depths = arch["d"] + space.blocks[len(arch["d"]):]  # a stage of one block has no choice
    is_supernet = any(key.endswith("_matrix") for key in arrays)
    net = tensors_of(space, arch["ks"], arch["e"], depths, classes,
                     space.blocks if is_supernet else depths)
    if is_supernet:
        check(arrays, whole(space, classes), keys, options.space)
    else:
        check(arrays, net, keys, f"the net of {options.arch}")
    tensors = {}
    for ours, theirs, shape in net:
        layer = theirs[:theirs.rfind(".") + 1]
        matrices = {key[len(layer):]: a for key, a in arrays.items() if key.startswith(layer)}
        tensors[ours] = slice_to(arrays[theirs], shape, matrices)
    save_net(options.out, options.space, tensors, arch, classes)


def take(options):
    if options.out.exists():
        raise BadFile(f"not read, since {options.out} exists already")
    try:
        state = read_state_dict(options.weights)
    except (BadFile, OSError):
        raise
    except Exception as error:  # what a damaged file makes of its readers is any of these
        raise BadFile(f"can't be read: {error!r}") from error
    keys = {plain_name(key): key for key in state}
    arrays = {plain: state[key] for plain, key in keys.items()}
    (classes, *_) = arrays.get("classifier.linear.weight", np.zeros(1)).shape or (0,)
    what = take_net if options.arch else take_supernet
    what(options, SPACES[options.space], arrays, keys, classes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("weights", type=pathlib.Path, help="file of torch.save")
    parser.add_argument("--space", choices=SPACES, default="ofa_mbv3_w1.0")
    parser.add_argument("--arch", type=pathlib.Path, help="file of one net; without: all")
    parser.add_argument("--dataset", type=pathlib.Path, help="folder of images, a folder a class")
    parser.add_argument("--image-size", type=int, default=224, help="that nets take (224)")
    parser.add_argument("--validation-size", type=int, default=5000, help="images held out (5000)")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="what to write")
    options = parser.parse_args()
    if (options.arch is None) == (options.dataset is None):
        parser.error("expected --dataset, for a supernet, or --arch, for one net")
    try:
        take(options)
    except OSError as error:
        sys.exit(f"import_once_for_all: {error}")
    except BadFile as error:
        sys.exit(f"import_once_for_all: {options.weights}: {error}")
    print(options.out)


if __name__ == "__main__":
    main()
