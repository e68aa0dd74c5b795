#!/usr/bin/env python3
"""The published post-training reconstruction in PyTorch, to have its full step counts on a GPU.

Unit after unit, Adam with a small step moves the weights that stay until the sparse unit answers
as the dense one: the rows `published` (units of one layer) and `block` of bench/post_training.sh,
which `sparsify` runs on the processor with `method: adam`. Shares no code with it; the units are
its own list, so that both repair the same parts:

  sparsify inspect network.onnx --units=layer > units.txt
  bench/peers/published_reconstruction.py network.onnx units.txt calibration validation \\
      --center-crop 224 --scale 0.00784313725490196 --mean 1 --levels 30,40,50,60 --steps 20000

Masks: the smallest magnitudes of each layer, made anew from the latent weights at every step.
Loss: mean over batch and positions of the sum over channels of squared differences. Inputs come
from the network repaired so far, targets from the dense network (--progressive: each level goes
on from the one before, which is its teacher). Batch norm is neither folded nor moved; biases stay.
All levels (or step counts) of a call take turns, so that a GPU has enough to do. Convolutions use
TF32 on a GPU, as PyTorch does unless told otherwise.

Needs torch, onnx, numpy and Pillow from PyPI; --device cuda needs a GPU.
"""

import argparse
import csv
import random
import re
import sys
import time

import torch
from torch.nn import functional

import images
from onnx_torch import Network


def numbers(text):
    return [int(word) for word in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("units", help="what `sparsify inspect --units=layer` (or block) printed")
    parser.add_argument("calibration", help="images and labels.csv")
    parser.add_argument("validation", help="images and labels.csv")
    images.add_arguments(parser)
    parser.add_argument("--levels", type=numbers, default=[30, 40, 50, 60], help="percent")
    parser.add_argument("--steps", type=numbers, default=[20000], help="at most, a unit")
    parser.add_argument("--progressive", action="store_true")
    parser.add_argument("--images", type=int, default=1000, help="calibration images")
    parser.add_argument("--batches", type=int, default=16, help="into which they are cut")
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--early-stop", type=float, default=1e-5, help="loss that ends a unit")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=8, help="that decode images")
    parser.add_argument("--csv", help="also write the table there")
    return parser.parse_args()


def read_units(path):
    """[(inputs, outputs)] of the lines `  3  2 nodes  a, b → c`."""
    units = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = re.match(r" *\d+  \d+ nodes  (.*) → (.*)$", line.rstrip("\n"))
            if match:
                units.append((match[1].split(", "), match[2].split(", ")))
    if not units:
        sys.exit(f"{path}: no unit found")
    return units


class Problem:
    """The network, the images, and the dense network's answers."""

    def __init__(self, args):
        self.device = torch.device(args.device)
        self.network = Network(args.model)
        self.weights_of = self.network.layers()
        # Numbers that operators take as arguments stay on the processor.
        self.dense = {name: value.to(self.device) if value.dim() > 0 and value.is_floating_point()
                      else value for name, value in self.network.parameters.items()}
        rows = images.listed(args.calibration)
        count = min(args.images, len(rows))
        rows = [rows[k * len(rows) // count] for k in range(count)]
        self.batch = len(rows) // args.batches
        self.batches = args.batches
        rows = rows[: self.batch * self.batches]
        self.calibration = self.load(rows, args)
        rows = images.listed(args.validation, args.label_offset)
        self.validation = self.load(rows, args)
        self.labels = torch.tensor([label for _, label in rows], device=self.device)
        self.answers = self.logits(self.dense).argmax(1)

    def load(self, rows, args):
        loaded = images.load_all([path for path, _ in rows], args, args.threads)
        return torch.from_numpy(loaded).to(self.device)

    def between(self, inputs, outputs):
        """The nodes that make `outputs` of `inputs`, in order."""
        wanted, nodes = set(outputs), []
        for node in reversed(self.network.nodes):
            if node[2] in wanted and node[2] not in inputs:
                nodes.append(node)
                wanted.update(node[1])
        return nodes[::-1]

    @torch.no_grad()
    def values(self, weights, pictures, names):
        """What the network makes of all pictures, for each name."""
        nodes = self.between([], names)
        parts = []
        for begin in range(0, len(pictures), self.batch):
            values = {**weights, self.network.input: pictures[begin : begin + self.batch]}
            self.network.run(nodes, values)
            parts.append([values[name] for name in names])
        return [torch.cat(part) for part in zip(*parts)]

    def logits(self, weights):
        return self.values(weights, self.validation, [self.network.output])[0].flatten(1)

    def measure(self, weights):
        """Top-1 and agreement with the dense network, percent."""
        answers = self.logits(weights).argmax(1)
        share = lambda truth: 100 * (answers == truth).float().mean().item()
        return share(self.labels), share(self.answers)


class Masked(torch.autograd.Function):
    """The weights of which the smallest `pruned` magnitudes are 0; so are their gradients."""

    @staticmethod
    def forward(ctx, weight, pruned):
        # By place, not by threshold: of equal magnitudes no more than `pruned` go.
        order = weight.detach().abs().flatten().sort(stable=True)[1]
        mask = torch.ones_like(weight, dtype=torch.bool).flatten()
        mask = mask.index_fill(0, order[:pruned], False).view_as(weight)
        ctx.save_for_backward(mask)
        return weight * mask

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0], None


class Run:
    """One row of the table: a level and a number of steps."""

    def __init__(self, problem, level, steps):
        self.problem, self.level, self.steps = problem, level, steps
        self.teacher = problem.dense
        self.latent = dict(problem.dense)
        self.stream = torch.cuda.Stream() if problem.device.type == "cuda" else None
        self.unit = None

    def masked(self, names):
        return {name: Masked.apply(self.latent[name], self.pruned(name)) if self.pruned(name)
                else self.latent[name] for name in names}

    def pruned(self, name):
        return round(self.level / 100 * self.latent[name].numel())

    def weights(self):
        """All parameters, masked."""
        with torch.no_grad():
            return {**self.latent, **self.masked(self.problem.weights_of.values())}

    def begin(self, inputs, outputs, lr):
        problem = self.problem
        nodes = problem.between(inputs, outputs)
        names = [problem.weights_of[node[2]] for node in nodes if node[2] in problem.weights_of]
        for name in names:
            self.latent[name] = self.latent[name].detach().clone().requires_grad_()
        self.unit = Unit(self, nodes, names, inputs, outputs, lr)

    def end(self):
        for name in self.unit.names:
            self.latent[name] = self.latent[name].detach()
        self.unit = None


class Unit:
    """The steps of one unit; a GPU replays them, from a graph for each batch of images."""

    def __init__(self, run, nodes, names, inputs, outputs, lr):
        problem = run.problem
        self.run, self.nodes, self.names, self.outputs = run, nodes, names, outputs
        given = problem.values(run.weights(), problem.calibration, inputs)
        wanted = problem.values(run.teacher, problem.calibration, outputs)
        self.inputs = dict(zip(inputs, given))
        self.targets = dict(zip(outputs, wanted))
        self.optimizer = torch.optim.Adam([run.latent[name] for name in names], lr=lr,
                                          capturable=run.stream is not None)
        self.loss = torch.zeros((), device=problem.device)
        self.left = run.steps
        self.graphs = []

    def step(self, k):
        problem = self.run.problem
        batch = lambda value: value[k * problem.batch : (k + 1) * problem.batch]
        values = {**self.run.latent, **self.run.masked(self.names),
                  **{name: batch(value) for name, value in self.inputs.items()}}
        problem.network.run(self.nodes, values)
        loss = 0
        for name in self.outputs:
            made = values[name]
            error = functional.mse_loss(made, batch(self.targets[name]), reduction="sum")
            loss = loss + error / (made.numel() / made.shape[1])
        self.optimizer.zero_grad(set_to_none=False)
        loss.backward()
        self.optimizer.step()
        self.loss.copy_(loss.detach())

    def capture(self):
        """Three steps, of which `advance` counts the last, and then the graphs."""
        problem, stream = self.run.problem, self.run.stream
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for k in range(3):
                self.step(k % problem.batches)
        self.left -= 2
        torch.cuda.synchronize()
        for k in range(problem.batches):
            graph = torch.cuda.CUDAGraph()
            pool = self.graphs[0].pool() if self.graphs else None
            with torch.cuda.graph(graph, pool=pool, stream=stream):
                self.step(k)
            self.graphs.append(graph)

    def advance(self):
        """A step more; returns whether any are left."""
        k = random.randrange(self.run.problem.batches)
        if self.run.stream is None:
            self.step(k)
        elif not self.graphs:
            self.capture()
        else:
            with torch.cuda.stream(self.run.stream):
                self.graphs[k].replay()
        self.left -= 1
        return self.left > 0


def repair_unit(runs, unit, args):
    """All runs in turn; returns (first loss, last loss, steps) of each."""
    for run in runs:
        run.begin(*unit, args.lr)
    open_runs, results, first, turns = list(runs), {}, {}, 0
    while open_runs:
        left = [run for run in open_runs if run.unit.advance()]
        turns += 1
        if turns == 1:
            first = {id(run): run.unit.loss.item() for run in runs}
        if turns % 500 == 0:
            left = [run for run in left if run.unit.loss.item() >= args.early_stop]
        for run in open_runs:
            if run not in left:
                results[id(run)] = (first[id(run)], run.unit.loss.item(),
                                    run.steps - max(run.unit.left, 0))
        open_runs = left
    for run in runs:
        run.end()
    if args.device.startswith("cuda"):
        torch.cuda.empty_cache()
    return [results[id(run)] for run in runs]


def repair(runs, units, args):
    for k, unit in enumerate(units):
        start = time.perf_counter()
        results = repair_unit(runs, unit, args)
        text = "; ".join(f"{first:.3g} → {last:.3g} in {steps}" for first, last, steps in results)
        print(f"{k + 1}/{len(units)} {unit[1][0]}: {time.perf_counter() - start:.1f} s; {text}",
              flush=True)


def row_of(problem, run, seconds, dense):
    weights = run.weights()
    names = list(problem.weights_of.values())
    zeros = sum((weights[name] == 0).sum().item() for name in names)
    top1, agreement = problem.measure(weights)
    return {"sparsity": run.level, "steps": run.steps,
            "achieved": f"{100 * zeros / sum(weights[name].numel() for name in names):.2f}",
            "top1": f"{top1:.2f}", "difference": f"{top1 - dense:+.2f}",
            "agreement": f"{agreement:.2f}", "seconds": f"{seconds:.0f}"}


def main():
    args = parse()
    random.seed(1)
    torch.backends.cudnn.benchmark = True
    problem = Problem(args)
    units = read_units(args.units)
    dense, _ = problem.measure(problem.dense)
    print(f"dense {dense:.2f} %; {problem.batches} batches of {problem.batch} images; "
          f"torch {torch.__version__}, {args.device}", flush=True)
    if args.progressive:
        runs = [Run(problem, 0, steps) for steps in args.steps]
        groups = [(level, runs) for level in args.levels]
    else:
        groups = [(None, [Run(problem, level, steps) for level in args.levels
                          for steps in args.steps])]
    rows = []
    for level, runs in groups:
        start = time.perf_counter()
        for run in runs:
            if level is not None:
                run.teacher, run.level = run.weights(), level
        repair(runs, units, args)
        seconds = time.perf_counter() - start
        for run in runs:
            rows.append(row_of(problem, run, seconds, dense))
            print(rows[-1], flush=True)
    if args.csv:
        with open(args.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
