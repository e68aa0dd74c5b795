#!/usr/bin/env python3
"""Evaluates an ONNX model on labelled images with ONNX Runtime: accuracy and time.

The same work as `sparsify evaluate`: decode, resize, normalise, forward, top-1/top-5.
Needs onnxruntime, numpy and Pillow from PyPI. Example:

  evaluate_onnxruntime.py net.onnx data/imagenette/validation --resize 224 224 \
      --mean 0.485 0.456 0.406 --std 0.229 0.224 0.225 --threads 2 --batch 32
"""

import argparse
import concurrent.futures
import resource
import time

import numpy as np
import onnxruntime as ort

import images


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("folder", help="images and labels.csv (file,label)")
    images.add_arguments(parser)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    return parser.parse_args()


def main():
    args = parse()
    rows = images.listed(args.folder, args.label_offset)
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
            loaded = pool.map(lambda row: images.load(row[0], args), part)
            batch = np.ascontiguousarray(np.stack(list(loaded)))
            before = time.perf_counter()
            logits = session.run(None, {name: batch})[0]
            seconds_forward += time.perf_counter() - before
            order = np.argsort(-logits, axis=1, kind="stable")[:, :5]
            labels = np.array([label for _, label in part])[:, None]
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
