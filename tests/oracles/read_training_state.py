#!/usr/bin/env python3
"""Checks with h5py alone the state that training_state_test.cc saves."""

import sys

try:
    import h5py
    import numpy as np
except ImportError:
    sys.exit(77)


def numbers(tag, *shape):
    count = int(np.prod(shape))
    values = [(k + 1) * (2 * tag + 7) * 7919 % 1009 / 1009 - 0.5 for k in range(count)]
    return np.array(values, dtype=np.float32).reshape(shape)


def entry(file, group, name):
    names = [text.decode() for text in file[group]["names"]]
    return file[group][str(names.index(name))]


with h5py.File(sys.argv[1], "r") as file:
    assert file.attrs["training_state"] == 1
    assert file.attrs["step"] == 7 and file.attrs["position"] == 1 << 40
    weight = entry(file, "parameters", "conv.weight")
    assert weight.dtype == np.float32
    assert np.array_equal(weight, numbers(1, 4, 2, 3, 3))
    assert np.array_equal(entry(file, "parameters", 'a/b: ü "quoted"'), numbers(2, 5))
    assert entry(file, "parameters", "scalar")[()] == 3.5
    assert np.array_equal(entry(file, "optimizer", "conv.weight/momentum"), numbers(3, 4, 2, 3, 3))
    assert np.array_equal(entry(file, "rule", "z"), numbers(4, 2, 2))
    mask = entry(file, "masks", "conv.weight")
    assert tuple(mask.attrs["shape"]) == (4, 2, 3, 3)
    bits = np.unpackbits(mask[()], bitorder="little")[:72]
    assert np.array_equal(bits, np.arange(72) % 3 != 0)
    assert file["rows"].shape == (2, 7) and file["rows"][1, 0] == 6
    assert np.array_equal(file["since_row"], [0.75, 1, 4, 3, 0.125])
