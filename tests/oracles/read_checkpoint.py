#!/usr/bin/env python3
"""Checks a checkpoint against docs/checkpoint_format.md with h5py alone.

Shares no code with the program. Exits 1 at the first broken rule; otherwise prints one line a
layer, "name elements zeros", and one line "total elements zeros", for a caller to compare.
"""

import math
import struct
import sys
import zlib

import h5py
import numpy as np


def check(condition, message):
    if not condition:
        sys.exit(f"read_checkpoint: {message}")


def check_seal(path):
    with open(path, "rb") as file:
        data = file.read()
    check(data[:8] == b"SPARSIFY", "no seal")
    major, minor, length, content, header = struct.unpack("<IIQII", data[8:32])
    check((major, minor) == (1, 0), f"version {major}.{minor}")
    check(header == zlib.crc32(data[:28]), "seal's header checksum")
    check(length == len(data), "seal's file length")
    check(content == zlib.crc32(data[512:]), "seal's content checksum")
    check(not any(data[32:512]), "seal's reserved bytes")


def check_checksums(file):
    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            stored = int(item.attrs["crc32"])
            check(stored == zlib.crc32(item[()].tobytes()), f"/{name}: crc32")

    file.visititems(visit)


def escape(name):
    only_dots = name.strip(".") == ""
    special = lambda c: c in "/%\x7f" or c < " " or (only_dots and c == ".")
    return "".join(f"%{ord(c):02X}" if special(c) else c for c in name)


def texts(dataset):
    return [t.decode() for t in dataset[()]]


def check_graph(file):
    values = texts(file["graph/values"])
    parameters = [v for v, flag in zip(values, file["graph/is_parameter"][()]) if flag]
    check(len(set(values)) == len(values) and "" not in values, "value names")
    check(sorted(file["weights"]) == sorted(map(escape, parameters)), "weights and parameters")
    made = set(parameters)
    for side in ("inputs", "outputs"):
        for i, key in enumerate(sorted(file[f"graph/{side}"], key=int)):
            port = file[f"graph/{side}/{key}"]
            check(int(key) == i and len(key) >= 4, f"number {key} of {side}")
            check(port.attrs["value"].decode() in values, f"{side}/{key}")
            if side == "inputs":
                made.add(port.attrs["value"].decode())
    for i, key in enumerate(sorted(file["graph/nodes"], key=int)):
        node = file["graph/nodes"][key]
        check(int(key) == i, f"node number {key}")
        for name in node.attrs["inputs"]:
            check(name == b"" or name.decode() in made, f"node {key} reads {name} too early")
        made.update(name.decode() for name in node.attrs["outputs"])
    return parameters


def check_masks(file):
    for key, mask in file["masks"].items():
        weight = file["weights"][key][()]
        check(tuple(mask.attrs["shape"]) == weight.shape, f"mask {key}: shape")
        check(mask.shape == (math.ceil(weight.size / 8),), f"mask {key}: bytes")
        bits = np.unpackbits(mask[()], bitorder="little")
        check(not bits[weight.size :].any(), f"mask {key}: unused bits")
        kept = bits[: weight.size].reshape(weight.shape) == 1
        check((weight[~kept] == 0).all(), f"mask {key}: a pruned weight is not zero")


def check_layers(file):
    layers = file["layers"]
    total = [0, 0]
    for i, name in enumerate(texts(layers["name"])):
        key = next(k for k in (escape(name + ".weight"), escape(name)) if k in file["weights"])
        weight = file["weights"][key][()]
        zeros = int((weight == 0).sum())
        check(layers["zeros"][i] == zeros, f"layer {name}: zeros")
        check(layers["elements"][i] == weight.size, f"layer {name}: elements")
        check(0 <= layers["achieved"][i] <= 1, f"layer {name}: achieved")
        print(name, weight.size, zeros)
        total[0] += weight.size
        total[1] += zeros
    print("total", *total)


def main():
    path = sys.argv[1]
    check_seal(path)
    with h5py.File(path, "r") as file:
        check(file.attrs["format"] == b"sparsify checkpoint", "format")
        check(file.userblock_size == 512, "user block")
        check_checksums(file)
        for name in check_graph(file):
            check(file["weights"][escape(name)].attrs["name"].decode() == name, f"name of {name}")
        check_masks(file)
        check_layers(file)
        check(isinstance(file["configuration"][()], bytes), "configuration")
        rows = {len(file["history"][column]) for column in ("time", "version", "action")}
        check(len(rows) == 1, "history columns")


if __name__ == "__main__":
    main()
