#!/usr/bin/env python3
"""Writes a copy of a checkpoint with h5py alone, as docs/checkpoint_format.md allows.

Every array and attribute goes through numpy and is written anew with other layouts and
filters; then the file is sealed. Shares no code with the program.
"""

import struct
import sys
import zlib

import h5py


def copy_attributes(source, target):
    for name, value in source.attrs.items():
        target.attrs[name] = value


def copy_group(source, target):
    copy_attributes(source, target)
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            copy_group(item, target.create_group(name))
        else:
            options = {}
            if item.ndim > 0 and item.size > 100:
                options = {"compression": "gzip", "compression_opts": 1, "fletcher32": True}
            copy_attributes(item, target.create_dataset(name, data=item[()], **options))


def seal(path):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    head = b"SPARSIFY" + struct.pack("<IIQI", 1, 0, len(data), zlib.crc32(data[512:]))
    data[:512] = (head + struct.pack("<I", zlib.crc32(head))).ljust(512, b"\0")
    with open(path, "wb") as file:
        file.write(data)


def main():
    source, target = sys.argv[1:3]
    with h5py.File(source, "r") as original:
        with h5py.File(target, "w", userblock_size=512, libver=("v108", "v108")) as copy:
            copy_group(original, copy)
    seal(target)


if __name__ == "__main__":
    main()
