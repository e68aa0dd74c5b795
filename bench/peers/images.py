"""Labelled images for the scripts beside it: a folder with labels.csv (file,label).

Needs numpy and Pillow from PyPI.
"""

import concurrent.futures
import csv
import os

import numpy as np
from PIL import Image


def add_arguments(parser):
    """The transform of `data.transform:`; what is left out does nothing."""
    parser.add_argument("--resize", type=int, nargs=2, help="height width")
    parser.add_argument("--center-crop", type=int)
    parser.add_argument("--color", choices=["rgb", "bgr"], default="rgb")
    parser.add_argument("--scale", type=float, default=1 / 255)
    parser.add_argument("--mean", type=float, nargs="+", default=[0.0])
    parser.add_argument("--std", type=float, nargs="+", default=[1.0])
    parser.add_argument("--label-offset", type=int, default=0)


def listed(folder, offset=0):
    """(path, label) of each line of labels.csv."""
    with open(os.path.join(folder, "labels.csv"), newline="", encoding="utf-8") as file:
        return [(os.path.join(folder, row["file"]), int(row["label"]) + offset)
                for row in csv.DictReader(file)]


def load(path, args):
    """3×H×W, f32."""
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


def load_all(paths, args, threads):
    """N×3×H×W, f32."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return np.ascontiguousarray(np.stack(list(pool.map(lambda p: load(p, args), paths))))
