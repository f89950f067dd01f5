import pickle

import numpy as np
import pytest

import lathe
from conftest import all_archs


def test_every_built_in_space_opens():
    for name in lathe.space_names():
        space = lathe.space(name)
        assert space.name == name
        assert space.macs(space.smallest()) < space.macs(space.largest())


def test_task_options():
    space = lathe.space("ofa_mbv3_w1.2", input_size=160, num_classes=10)
    assert space.task == {"in_channels": 3, "num_classes": 10, "input_size": 160}
    assert space.input_sizes == [160]
    assert lathe.space("ofa_mbv3_w1.2", resolutions=[160, 224]).input_sizes == [160, 224]
    assert lathe.space("darts", cells=8, init_channels=16).name == "darts_c16_l8"
    assert lathe.space("darts", stem="imagenet").name == "darts_imagenet"


def test_wrong_options_say_what_is_known():
    with pytest.raises(lathe.Error, match='did you mean "ofa_mbv3_w1.0" or'):
        lathe.space("ofa_mbv3_w1.3")
    with pytest.raises(TypeError, match='unexpected argument .*did you mean "input_size"'):
        lathe.space("mbv3_28", inputsize=28)
    with pytest.raises(TypeError, match="cells: got 'eight'"):
        lathe.space("darts", cells="eight")
    with pytest.raises(ValueError, match="input_size must be from 1 to 4096, got -3"):
        lathe.space("mbv3_28", input_size=-3)
    with pytest.raises(lathe.Error, match='stem must be "cifar" or "imagenet", got "mnist"'):
        lathe.space("darts", stem="mnist")


def test_number_of_nets_is_that_of_the_enumerated(tiny):
    assert len(all_archs(tiny)) == round(tiny.num_nets) == 20 * 20


def test_macs_are_known():
    space = lathe.space("ofa_mbv3_w1.0", input_size=224)
    assert space.macs(space.largest()) == 566170656  # as README.md has it
    assert isinstance(space.macs(space.largest()), int)


def test_counts_of_many_are_those_of_each(tiny):
    archs = all_archs(tiny)[::17]
    for count in (tiny.macs, tiny.params, tiny.peak_memory_bytes):
        many = count(archs)
        assert many.dtype == np.int64
        assert many.tolist() == [count(arch) for arch in archs]
    assert tiny.macs([]).shape == (0,)


def test_encoding_is_a_one_hot_of_the_decisions_that_live(tiny):
    archs = all_archs(tiny)[::31]
    rows = tiny.encode(archs)
    assert rows.shape == (len(archs), tiny.encoding_size) and rows.dtype == np.float32
    for arch, row in zip(archs, rows):
        assert np.array_equal(tiny.encode(arch), row)
    offsets = np.cumsum([0] + [len(d["values"]) for d in tiny.decisions])
    largest = tiny.largest()
    expected = np.zeros(tiny.encoding_size)
    expected[offsets[:-1] + largest.choices] = 1
    assert np.array_equal(tiny.encode(largest), expected)


def test_dictionaries_and_back(tiny):
    for arch in all_archs(tiny)[::29]:
        assert tiny.from_dict(tiny.to_dict(arch)) == arch
    with pytest.raises(lathe.Error, match="^arch: "):
        tiny.from_dict({"space": tiny.name, "ks": [3]})


def test_same_seed_same_nets(tiny):
    def nets(seed):
        rng = lathe.Rng(seed)
        drawn = [tiny.sample(rng) for _ in range(5)]
        return drawn + [tiny.mutate(drawn[0], 0.5, rng), tiny.crossover(*drawn[:2], rng)]

    assert nets(1) == nets(1)
    assert nets(1) != nets(2)
    assert all(net in set(all_archs(tiny)) for net in nets(1))


def test_mutation_of_rate_zero_changes_nothing(tiny):
    arch = tiny.sample(lathe.Rng(4))
    assert tiny.mutate(arch, 0.0, lathe.Rng(0)) == arch


def test_archs_are_values():
    a, b = lathe.Arch([0, 1, 2]), lathe.Arch((0, 1, 2))
    assert a == b and hash(a) == hash(b) and a != lathe.Arch([0, 1, 1]) and lathe.Arch([0]) < a
    assert a.choices == (0, 1, 2)
    assert pickle.loads(pickle.dumps(a)) == a
    assert eval(repr(a), {"lathe": lathe}) == a
    with pytest.raises(ValueError, match="choices must be from 0 to 255, got 256"):
        lathe.Arch([256])


def test_an_arch_of_another_space_is_refused(tiny):
    with pytest.raises(ValueError):
        tiny.macs(lathe.Arch([0]))
    with pytest.raises(ValueError):
        tiny.encode([tiny.smallest(), lathe.Arch([0])])


def test_random_numbers(tiny):
    rng, same = lathe.Rng(0), lathe.Rng(0)
    assert [rng.below(1000) for _ in range(9)] == [same.below(1000) for _ in range(9)]
    assert all(0 <= rng.uniform() < 1 for _ in range(100))
    assert abs(np.mean([rng.normal() for _ in range(10000)])) < 0.05
    with pytest.raises(ValueError):
        rng.below(0)


def test_a_part_of_a_space(tiny):
    smallest, largest = tiny.smallest(), tiny.largest()
    part = tiny.part(smallest, largest)
    assert isinstance(part, lathe.Subspace)
    inside = tiny.part(smallest, smallest)
    assert inside.contains(smallest) and not inside.contains(largest)
    assert part.to_whole(part.from_whole(largest)) == largest
    with pytest.raises(ValueError):
        tiny.part(largest, smallest)
