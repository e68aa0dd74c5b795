#!/usr/bin/env python3
"""Times an iteration of layer reconstruction here and in PyTorch: same layer, batch, threads.

An iteration is convolution + ReLU under a mask, the squared error to the cached targets, its
gradient, and an Adam step on the masked weight. Both start from the same numbers; after three
iterations the weights are compared, and nothing is timed if they differ. Then the two take
turns, a few iterations each, and the least and the median time of each is printed: processor
time with one thread, so that neighbours on a busy machine do not count, else wall time.

Needs the program reconstruction_bench (SPARSIFY_BUILD_BENCH), and torch and numpy from PyPI.

  bench/layer_reconstruction.py build/bench/reconstruction_bench --batch 32 --threads 2
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

# in, out, size, kernel, stride, pad, groups
LAYERS = {
    "3x3 64 @56": (64, 64, 56, 3, 1, 1, 1),
    "3x3 128 @28": (128, 128, 28, 3, 1, 1, 1),
    "3x3 512 @7": (512, 512, 7, 3, 1, 1, 1),
    "1x1 24-144 @56": (24, 144, 56, 1, 1, 0, 1),
    "1x1 384-64 @14": (384, 64, 14, 1, 1, 0, 1),
    "1x1 160-960 @7": (160, 960, 7, 1, 1, 0, 1),
    "depthwise 144 @56": (144, 144, 56, 3, 1, 1, 144),
    "depthwise 384 @14": (384, 384, 14, 3, 1, 1, 384),
}
RATE = 1e-4
SPARSITY = 0.5
CHECKED_STEPS = 3


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", help="reconstruction_bench")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6, help="for each layer")
    parser.add_argument("--layer", nargs="+", help="only those whose name holds one of these")
    parser.add_argument(
        "--channels-last", action="store_true", help="PyTorch's tensors channels last"
    )
    args = parser.parse_args()
    if not os.access(args.program, os.X_OK):
        parser.error(f"no program {args.program}; build the target reconstruction_bench")
    return args


class Here:
    """The program, waiting for commands."""

    def __init__(self, program, folder, threads):
        self.process = subprocess.Popen(
            [program, folder, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"reconstruction_bench ended with status {self.process.wait()}")
        return [float(word) for word in answer.split()]

    def step(self, count):
        return self.ask(f"step {count}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Torch:
    """The iteration as PyTorch code usually has it."""

    def __init__(self, torch, tensors, shape, channels_last, clock):
        _, _, _, _, stride, pad, groups = shape
        form = torch.channels_last if channels_last else torch.contiguous_format
        self.torch = torch
        self.clock = clock
        self.x, self.y = (
            torch.from_numpy(tensors[name]).contiguous(memory_format=form) for name in "xy"
        )
        self.weight = torch.nn.Parameter(torch.from_numpy(tensors["w"].copy()))
        self.bias = torch.from_numpy(tensors["b"])
        self.mask = (self.weight.detach() != 0).float()
        self.conv = {"stride": stride, "padding": pad, "groups": groups}
        self.optimizer = torch.optim.Adam([self.weight], lr=RATE)

    def step(self, count):
        functional = self.torch.nn.functional
        times = []
        for _ in range(count):
            start = self.clock()
            self.optimizer.zero_grad()
            out = functional.conv2d(self.x, self.weight * self.mask, self.bias, **self.conv)
            loss = (functional.relu(out) - self.y).pow(2).sum(1).mean()
            loss.backward()
            self.optimizer.step()
            times.append(1e3 * (self.clock() - start))
        return times


def write_problem(numpy, folder, shape, batch):
    inputs, outputs, size, kernel, stride, pad, groups = shape
    out_size = (size + 2 * pad - kernel) // stride + 1
    random = numpy.random.default_rng(1)

    def normal(*dims):
        return random.standard_normal(dims, dtype=numpy.float32)

    weight = normal(outputs, inputs // groups, kernel, kernel)
    weight *= numpy.float32((2 / (inputs // groups * kernel * kernel)) ** 0.5)
    weight[abs(weight) < numpy.quantile(abs(weight), SPARSITY)] = 0
    tensors = {
        "x": numpy.maximum(normal(batch, inputs, size, size), 0),
        "y": numpy.maximum(normal(batch, outputs, out_size, out_size), 0),
        "w": weight,
        "b": normal(outputs),
    }
    for name, tensor in tensors.items():
        tensor.tofile(os.path.join(folder, name))
    with open(os.path.join(folder, "problem.txt"), "w", encoding="utf-8") as file:
        file.write(" ".join(str(number) for number in (*shape, batch, RATE)) + "\n")
    return tensors


def check(numpy, here, peer, folder, tensors):
    """Compares the weights; where a gradient is about 0 Adam's steps may differ."""
    here.step(CHECKED_STEPS)
    peer.step(CHECKED_STEPS)
    here.ask("weights")
    ours = numpy.fromfile(os.path.join(folder, "w_trained"), dtype=numpy.float32)
    theirs = (peer.weight * peer.mask).detach().numpy().ravel()
    moved = numpy.linalg.norm(theirs - tensors["w"].ravel())
    error = numpy.linalg.norm(ours - theirs) / moved
    if not error < 1e-3 or moved == 0:
        sys.exit(f"results differ: {error:.3g} of the distance that the weights moved")


def measure(here, peer, seconds):
    ours, theirs = [], []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(ours) < 5:
        for side, times in ((here, ours), (peer, theirs)):
            time.sleep(0.02)  # the other side's threads stop spinning
            side.step(1)
            times.extend(side.step(3))
    return ours, theirs


def main():
    args = parse()
    import numpy
    import torch

    torch.set_num_threads(args.threads)
    clock = time.process_time if args.threads == 1 else time.perf_counter
    layout = "channels last" if args.channels_last else "contiguous"
    print(f"torch {torch.__version__} ({layout}), batch {args.batch}, {args.threads} threads; ms")
    print(f"{'layer':<20}{'here min':>10}{'median':>10}{'torch min':>11}{'median':>10}"
          f"{'ratio min':>11}{'median':>10}")
    for name, shape in LAYERS.items():
        if args.layer and not any(part in name for part in args.layer):
            continue
        with tempfile.TemporaryDirectory() as folder:
            tensors = write_problem(numpy, folder, shape, args.batch)
            here = Here(args.program, folder, args.threads)
            peer = Torch(torch, tensors, shape, args.channels_last, clock)
            check(numpy, here, peer, folder, tensors)
            ours, theirs = measure(here, peer, args.seconds)
            here.close()
        low = min(ours), min(theirs)
        middle = statistics.median(ours), statistics.median(theirs)
        print(f"{name:<20}{low[0]:>10.2f}{middle[0]:>10.2f}{low[1]:>11.2f}{middle[1]:>10.2f}"
              f"{low[1] / low[0]:>11.2f}{middle[1] / middle[0]:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
