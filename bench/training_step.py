#!/usr/bin/env python3
"""Times a training step of a whole network here and in PyTorch: same network, batch, threads.

A step is the forward pass with batch norm in training mode, cross-entropy, the backward pass to
every weight, scale and bias, a step of SGD with Nesterov momentum and weight decay, and the
running statistics. PyTorch runs the same ONNX file, node by node with torch.nn.functional. Loss
and gradients of the first batch are compared, and nothing is timed if they differ. Then the sides
take turns, a few steps each, and the least and the median time of each is printed: processor time
with one thread, so that neighbours on a busy machine do not count, else wall time.

With --precision bf16 convolutions and fully connected layers multiply bfloat16 numbers here, and
PyTorch runs under autocast; f32 takes its turn too. All gradients together are then compared with
those of f32.

Needs the program training_bench (SPARSIFY_BUILD_BENCH), and torch, onnx and numpy from PyPI.

  bench/training_step.py build/bench/training_bench network.onnx --batch 32 --threads 2
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

RATE = 1e-3
# Of a gradient's norm: f32 sums in another order, through some tens of layers, each of which may
# move a few activations across 0.
TOLERANCE = 1e-2
# Of the norm of all gradients together: below, a gradient is 0 but for rounding (a bias whose
# shift the next batch norm takes away).
FLOOR = 1e-3
# Of the norm of all gradients together, in bf16: each layer rounds its factors by up to 2^-8, and a
# share of about 2^-9 of the activations ends up on the other side of 0.
BF16_TOLERANCE = 0.15


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", help="training_bench")
    parser.add_argument("network", help="an ONNX file")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="in which each side takes its turn")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--steps", type=int, default=2, help="that are timed in a turn")
    args = parser.parse_args()
    if not os.access(args.program, os.X_OK):
        parser.error(f"no program {args.program}; build the target training_bench")
    return args


class Here:
    """The program, waiting for commands."""

    def __init__(self, args, folder, precision):
        self.folder = folder
        self.process = subprocess.Popen(
            [args.program, args.network, folder, str(args.threads), precision],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"training_bench ended with status {self.process.wait()}")
        return [float(word) for word in answer.split()]

    def step(self, count):
        return self.ask(f"step {count}")

    def gradients(self, numpy):
        (loss,) = self.ask("gradients")
        values = numpy.fromfile(os.path.join(self.folder, "gradients"), dtype=numpy.float32)
        gradients, at = {}, 0
        with open(os.path.join(self.folder, "gradients.txt"), encoding="utf-8") as file:
            for line in file:
                name, size = line.split()
                gradients[name] = values[at : at + int(size)]
                at += int(size)
        return loss, gradients

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Torch:
    """An ONNX network, trainable."""

    def __init__(self, modules, args, batch, channels_last):
        self.torch = modules["torch"]
        self.bf16 = args.precision == "bf16"
        torch = self.torch
        self.clock = time.process_time if args.threads == 1 else time.perf_counter
        self.form = torch.channels_last if channels_last else torch.contiguous_format
        self.images = torch.from_numpy(batch[0].copy()).contiguous(memory_format=self.form)
        self.labels = torch.from_numpy(batch[1])
        self.network = modules["onnx_torch"].Network(args.network)
        running = {name for op, inputs, _, _ in self.network.nodes if op == "BatchNormalization"
                   for name in inputs[3:5]}
        self.values = {}
        self.parameters = {}
        for name, value in self.network.parameters.items():
            if value.is_floating_point() and name not in running:
                if value.dim() == 4:
                    value = value.contiguous(memory_format=self.form)
                self.parameters[name] = value = torch.nn.Parameter(value)
            self.values[name] = value
        self.optimizer = torch.optim.SGD(self.parameters.values(), lr=RATE, momentum=0.9,
                                         nesterov=True, weight_decay=1e-4)

    def loss(self):
        values = dict(self.values)
        values[self.network.input] = self.images
        self.network.run(self.network.nodes, values, training=True)
        return self.torch.nn.functional.cross_entropy(values[self.network.output], self.labels)

    def gradients(self):
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        return loss.item(), {name: p.grad.contiguous().numpy().ravel()
                             for name, p in self.parameters.items() if p.grad is not None}

    def step(self, count):
        times = []
        for _ in range(count):
            start = self.clock()
            self.optimizer.zero_grad()
            with self.torch.autocast("cpu", dtype=self.torch.bfloat16, enabled=self.bf16):
                loss = self.loss()
            loss.backward()
            self.optimizer.step()
            times.append(1e3 * (self.clock() - start))
        return times


def make_batch(modules, args, folder):
    numpy, onnx = modules["numpy"], modules["onnx"]
    graph = onnx.load(args.network).graph
    dims = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    random = numpy.random.default_rng(1)
    images = random.standard_normal([args.batch] + dims[1:], dtype=numpy.float32)
    labels = random.integers(0, classes, args.batch)
    images.tofile(os.path.join(folder, "images"))
    with open(os.path.join(folder, "labels.txt"), "w", encoding="utf-8") as file:
        file.write(" ".join(map(str, labels)))
    with open(os.path.join(folder, "problem.txt"), "w", encoding="utf-8") as file:
        file.write(f"{args.batch} {RATE}\n")
    return images, labels


def check(numpy, here, peer):
    """Compares the loss and the gradient of every parameter, each by its norm or the floor."""
    loss, gradients = here.gradients(numpy)
    expected_loss, expected = peer.gradients()
    if gradients.keys() != expected.keys():
        sys.exit(f"parameters differ: {sorted(gradients.keys() ^ expected.keys())}")
    norms = {name: numpy.linalg.norm(expected[name]) for name in expected}
    floor = FLOOR * numpy.linalg.norm(list(norms.values()))
    errors = {name: numpy.linalg.norm(gradients[name] - expected[name]) / max(norms[name], floor)
              for name in expected}
    worst = max(errors, key=errors.get)
    print(f"loss {loss:.7g}, torch {expected_loss:.7g}; gradients of {len(errors)} parameters "
          f"differ by at most {errors[worst]:.2g} of their norm ({worst})")
    if not (errors[worst] < TOLERANCE and abs(loss / expected_loss - 1) < 1e-4):
        sys.exit("the results differ; nothing is timed")


def check_bf16(numpy, here, rounded):
    """Compares all gradients in bf16 with those in f32."""
    _, expected = here.gradients(numpy)
    _, gradients = rounded.gradients(numpy)
    norm = numpy.linalg.norm([numpy.linalg.norm(expected[name]) for name in expected])
    error = numpy.linalg.norm([numpy.linalg.norm(gradients[name] - expected[name])
                               for name in expected]) / norm
    print(f"gradients in bf16 differ from those in f32 by {error:.2g} of their norm")
    if not 0 < error < BF16_TOLERANCE:
        sys.exit("that is not the rounding of bf16; nothing is timed")


def measure(sides, rounds, steps):
    times = [[] for _ in sides]
    for _ in range(rounds):
        for side, of_side in zip(sides, times):
            time.sleep(0.02)  # the other side's threads stop spinning
            side.step(1)
            of_side.extend(side.step(steps))
    return times


def main():
    args = parse()
    import numpy
    import onnx
    import torch

    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))
    import onnx_torch

    modules = {"numpy": numpy, "onnx": onnx, "onnx_torch": onnx_torch, "torch": torch}
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        batch = make_batch(modules, args, folder)
        here = Here(args, folder, "f32")
        sides = {"torch": Torch(modules, args, batch, False),
                 "torch channels last": Torch(modules, args, batch, True)}
        check(numpy, here, sides["torch"])
        if args.precision == "bf16":
            rounded = Here(args, folder, "bf16")
            check_bf16(numpy, here, rounded)
            sides = {"here": rounded, "here in f32": here, **sides}
        else:
            sides = {"here": here, **sides}
        times = measure(sides.values(), args.rounds, args.steps)
        for side in sides.values():
            if isinstance(side, Here):
                side.close()
    name = os.path.splitext(os.path.basename(args.network))[0]
    print(f"{name}, batch {args.batch}, {args.threads} threads, {args.precision}, "
          f"torch {torch.__version__}; a step")
    print(f"{'':<20}{'min ms':>10}{'median':>10}{'images/s':>10}{'ratio min':>11}{'median':>10}")
    ours = times[0]
    for side, of_side in zip(sides, times):
        low, middle = min(of_side), statistics.median(of_side)
        print(f"{side:<20}{low:>10.1f}{middle:>10.1f}{1e3 * args.batch / low:>10.1f}"
              f"{low / min(ours):>11.2f}{middle / statistics.median(ours):>10.2f}")


if __name__ == "__main__":
    main()
