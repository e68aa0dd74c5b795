#!/usr/bin/env python3
"""Evaluates an ONNX model on labelled images with ONNX Runtime: accuracy and time.

The same work as `sparsify evaluate`: decode, resize, normalise, forward, top-1/top-5.
Needs onnxruntime, numpy and Pillow from PyPI. Example:

  evaluate_onnxruntime.py net.onnx data/imagenette/validation --resize 224 224 \
      --mean 0.485 0.456 0.406 --std 0.229 0.224 0.225 --threads 2 --batch 32
"""

import argparse
import concurrent.futures
import csv
import os
import resource
import time

import numpy as np
import onnxruntime as ort
from PIL import Image


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("folder", help="images and labels.csv (file,label)")
    parser.add_argument("--resize", type=int, nargs=2, help="height width")
    parser.add_argument("--center-crop", type=int)
    parser.add_argument("--color", choices=["rgb", "bgr"], default="rgb")
    parser.add_argument("--scale", type=float, default=1 / 255)
    parser.add_argument("--mean", type=float, nargs="+", default=[0.0])
    parser.add_argument("--std", type=float, nargs="+", default=[1.0])
    parser.add_argument("--label-offset", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    return parser.parse_args()


def load(path, args):
    image = Image.open(path).convert("RGB")
    if args.resize:
        image = image.resize((args.resize[1], args.resize[0]), Image.BILINEAR)
    if args.center_crop:
        left = round((image.width - args.center_crop) / 2)
        top = round((image.height - args.center_crop) / 2)
        image = image.crop((left, top, left + args.center_crop, top + args.center_crop))
    pixels = np.asarray(image, dtype=np.float32)
    if args.color == "bgr":
        pixels = pixels[:, :, ::-1]
    pixels = (pixels * args.scale - np.float32(args.mean)) / np.float32(args.std)
    return pixels.transpose(2, 0, 1)


def main():
    args = parse()
    with open(os.path.join(args.folder, "labels.csv"), newline="") as file:
        rows = [(row["file"], int(row["label"])) for row in csv.DictReader(file)]
    options = ort.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    top1 = top5 = 0
    seconds_forward = 0.0
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(args.threads) as pool:
        for begin in range(0, len(rows), args.batch):
            part = rows[begin : begin + args.batch]
            paths = [os.path.join(args.folder, file) for file, _ in part]
            images = np.ascontiguousarray(np.stack(list(pool.map(lambda p: load(p, args), paths))))
            before = time.perf_counter()
            logits = session.run(None, {name: images})[0]
            seconds_forward += time.perf_counter() - before
            order = np.argsort(-logits, axis=1, kind="stable")[:, :5]
            labels = np.array([label + args.label_offset for _, label in part])[:, None]
            top1 += int((order[:, :1] == labels).sum())
            top5 += int((order == labels).any(axis=1).sum())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"onnxruntime {ort.__version__}: images {len(rows)}, top1 {100 * top1 / len(rows):.2f} %, "
        f"top5 {100 * top5 / len(rows):.2f} %, {seconds:.2f} s in all, "
        f"{seconds_forward:.2f} s in the network, peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
