#!/usr/bin/env python3
"""Times other engines and our own plans in one run, with the same sparse ONNX file.

    compare.py resnet18.onnx mobilenetv2.onnx --batch 1,8 --sparsity 0,0.5,0.7,0.9

Each engine lives in a process of its own; one runs at a time, the others are stopped, and
short turns go round until the time of a case is used up. Engines that cannot be compared
are named with the reason. Engines: onnxruntime, openvino, pytorch, deepsparse,
sparsify-dense, sparsify-winograd and sparsify-sparse (bench/plan_worker.cc). README.md says what to install.
"""

import argparse
import itertools
import os
import pathlib
import statistics
import sys
import tempfile
import time
from typing import NamedTuple

import numpy as np

import machine
import sparse_model
import tables
from engine_process import EngineError, EngineProcess

FOLDER = pathlib.Path(__file__).resolve().parent
MAX_RUNS_A_TURN = 100


class Engine(NamedTuple):
    title: str
    kind: str  # "dense", or "sparse" when zeros may make it faster


# The first one that works is the reference for the outputs.
ENGINES = {
    "onnxruntime": Engine("ONNX Runtime", "dense"),
    "openvino": Engine("OpenVINO", "dense"),
    "pytorch": Engine("PyTorch", "dense"),
    "sparsify-dense": Engine("sparsify, dense plan", "dense"),
    "sparsify-winograd": Engine(f"sparsify, dense plan, {tables.WINOGRAD}", "dense"),
    "deepsparse": Engine("DeepSparse", "sparse"),
    "sparsify-sparse": Engine("sparsify, sparse plan", "sparse"),
}


OWN_PLANS = {
    "sparsify-dense": ["--dense"],
    "sparsify-winograd": ["--dense", "--winograd"],
    "sparsify-sparse": ["--sparse", "--winograd"],
}


def comma_list(kind, low, high):
    def parse(text):
        try:
            values = [kind(item) for item in text.split(",")]
        except ValueError:
            values = []
        if not values or not all(low <= value <= high for value in values):
            raise argparse.ArgumentTypeError(
                f'"{text}": expected numbers from {low} to {high}, separated by commas')
        return values

    return parse


def engine_list(text):
    names = text.split(",")
    for name in names:
        if name not in ENGINES:
            raise argparse.ArgumentTypeError(f"{name}: unknown; known: {', '.join(ENGINES)}")
    return [name for name in ENGINES if name in names]


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("models", nargs="+", help="ONNX files with one image input")
    add("--batch", type=comma_list(int, 1, 4096), default=[1, 8], help="images a run (1,8)")
    add("--threads", type=comma_list(int, 1, 1024), default=[1], help="threads and cores (1)")
    add("--sparsity", type=comma_list(float, 0, 1), default=[0, 0.5, 0.7, 0.9],
        help="share of each layer's weights to zero; 0: the file as it is (0,0.5,0.7,0.9)")
    add("--engines", type=engine_list, default=list(ENGINES), help="which ones (all)")
    add("--python", action="append", default=[], metavar="[ENGINE=]PATH",
        help="interpreter for an engine, or for all that have none of their own (this one)")
    add("--plan-worker", default=str(FOLDER.parent.parent / "build/bench/plan_worker"),
        help="our own engine (build/bench/plan_worker)")
    add("--seconds", type=float, default=8, help="to time one case for, all engines together (8)")
    add("--rounds", type=int, default=6, help="least number of turns of each engine (6)")
    add("--turn-ms", type=float, default=80, help="length of a turn; at least 2 runs (80)")
    add("--cores", type=comma_list(int, 0, 65535), help="to run on, the last first (all)")
    add("--tolerance", type=float, default=1e-3,
        help="largest difference of outputs, over the largest output, that is timed (1e-3)")
    add("--timeout", type=float, default=300, help="seconds to wait for an answer (300)")
    add("--csv", default="peers.csv", help="results, rewritten after each case (peers.csv)")
    add("--update", metavar="FILE", help="Markdown file whose section gets the tables")
    return parser.parse_args()


def interpreters(args):
    found = {name: sys.executable for name in ENGINES}
    for choice in sorted(args.python, key=lambda text: "=" in text):
        name, equals, path = choice.partition("=")
        if not equals:
            found = {engine: name for engine in found}
        elif name in ENGINES and not name.startswith("sparsify"):
            found[name] = path
        else:
            sys.exit(f"compare.py: --python {choice}: no engine \"{name}\" that runs in Python")
    return found


def choose_cores(args, threads):
    """The last cores of those to run on, one a thread."""
    cores = args.cores or args.allowed
    if len(set(cores)) < threads or not set(cores) <= set(args.allowed):
        raise EngineError(f"threads {threads}: needs as many different cores out of "
                          f"{args.allowed}, cores to run on are {cores}")
    return cores[-threads:]


def command(name, args, model, batch, threads):
    size = ["--batch", str(batch), "--threads", str(threads)]
    if name.startswith("sparsify"):
        if not os.access(args.plan_worker, os.X_OK):
            raise EngineError("bench/plan_worker is not built (target plan_worker; --plan-worker)")
        return [args.plan_worker, model, *size, *OWN_PLANS[name]]
    return [args.interpreters[name], str(FOLDER / "worker.py"), name, model, *size]


def environment(name, threads):
    """Settings beside the person's own."""
    settings = {"OMP_NUM_THREADS": str(threads)}
    if name == "deepsparse":
        settings["NM_DISABLE_ANALYTICS"] = "True"  # it would report its use to its makers
    if name.startswith("sparsify") and "OMP_WAIT_POLICY" not in os.environ:
        settings["GOMP_SPINCOUNT"] = os.environ.get("GOMP_SPINCOUNT", "2000")  # as sparsify does
    return settings


class Case:
    """One network, sparsity, batch and number of threads: all engines, loaded and timed."""

    def __init__(self, args, model, asked, batch, threads, cores, folder):
        self.args, self.cores, self.folder = args, cores, folder
        self.batch, self.threads = batch, threads
        self.model = str(folder / "model.onnx")
        zeros, shape = sparse_model.write(model, asked, batch, self.model)
        image = np.random.default_rng(20240229).standard_normal(shape, dtype=np.float32)
        image.tofile(folder / "input.raw")
        network = pathlib.Path(model).stem
        self.rows = {
            name: tables.Row(network, asked, 100 * zeros, batch, threads, ENGINES[name].title,
                             ENGINES[name].kind)
            for name in args.engines
        }
        self.processes = {}
        self.reference = None  # (title, outputs)

    def leave_out(self, name, reason):
        self.rows[name].left_out = " ".join(str(reason).split())
        process = self.processes.pop(name, None)
        if process:
            process.close()
        print(f"  {ENGINES[name].title}: left out: {self.rows[name].left_out}", flush=True)

    def load_all(self):
        """Starts the engines one after the other and compares their outputs."""
        for name in self.args.engines:
            try:
                line = command(name, self.args, self.model, self.batch, self.threads)
                settings = environment(name, self.threads)
                process = EngineProcess(line, self.cores, settings, self.args.timeout)
                self.processes[name] = process
                self.rows[name].version, self.rows[name].how = process.version, process.how
                self.check_outputs(name, process)
            except EngineError as error:
                self.leave_out(name, error)

    def check_outputs(self, name, process):
        process.ask(f"input {self.folder / 'input.raw'}")
        process.ask(f"outputs {self.folder / 'outputs.raw'}")
        outputs = np.fromfile(self.folder / "outputs.raw", dtype=np.float32).astype(np.float64)
        if self.reference is None:
            if not np.isfinite(outputs).all():
                raise EngineError("outputs are not finite")
            self.reference = (ENGINES[name].title, outputs)
        title, expected = self.reference
        if outputs.shape != expected.shape:
            raise EngineError(f"{outputs.size} outputs, {title} has {expected.size}")
        largest = max(np.abs(expected).max(), np.finfo(np.float32).tiny)
        difference = np.abs(outputs - expected).max() / largest
        row = self.rows[name]
        row.max_difference, row.reference = float(difference), title
        if not difference <= self.args.tolerance:
            raise EngineError(f"outputs differ from {title} by {difference:.2g} of the largest, "
                              f"{self.args.tolerance:g} is allowed")

    def time_all(self):
        """Turns go round, beginning with another engine each time."""
        samples = {name: [] for name in self.processes}
        counts = {}
        watch = machine.Watch(list(self.processes.values()))
        start, rounds = time.monotonic(), 0
        while rounds < self.args.rounds or time.monotonic() - start < self.args.seconds:
            order = list(self.processes)
            if not order:
                return
            first = rounds % len(order)
            for name in order[first:] + order[:first]:
                try:
                    if name not in counts:
                        runs = self.args.turn_ms / self.processes[name].run(1)[0]
                        counts[name] = min(max(2, round(runs)), MAX_RUNS_A_TURN)
                    samples[name] += self.processes[name].run(counts[name])
                except EngineError as error:
                    self.leave_out(name, error)
            rounds += 1
        self.fill(samples, *watch.finish())

    def fill(self, samples, others, stolen):
        for name in self.processes:
            row = self.rows[name]
            row.samples = len(samples[name])
            row.min_ms, row.median_ms = min(samples[name]), statistics.median(samples[name])
            row.others_percent, row.stolen_percent = others, stolen
        tables.mark_baseline(list(self.rows.values()))
        noise = f"others {others:.1f} %, stolen {stolen:.1f} % of a processor"
        if max(others, stolen) > tables.DISTURBED:
            noise += "; disturbed: repeat on an idle machine, trust the minima more"
        print(f"  {noise}", flush=True)

    def run(self):
        try:
            self.load_all()
            self.time_all()
        finally:
            for process in self.processes.values():
                process.close()
        return list(self.rows.values())


def run_case(args, model, asked, batch, threads, folder):
    cores = choose_cores(args, threads)
    free = set(args.allowed) - set(cores)
    os.sched_setaffinity(0, free or args.allowed)  # this script, out of the engines' way
    start = time.monotonic()
    print(f"{pathlib.Path(model).stem}: batch {batch}, threads {threads}, sparsity "
          f"{100 * asked:g} %", flush=True)
    rows = Case(args, model, asked, batch, threads, cores, folder).run()
    print("\n".join(tables.full_table(rows)), f"\n  {time.monotonic() - start:.0f} s\n",
          flush=True)
    return rows


def check(args, folder):
    """Says what the run is on; throws early what would throw late."""
    for threads in args.threads:
        print(machine.description(choose_cores(args, threads)))
    for model, batch in itertools.product(args.models, args.batch):
        sparse_model.write(model, 0, batch, str(folder / "model.onnx"))
    if args.update and not os.access(args.update, os.W_OK):
        raise ValueError(f"{args.update}: cannot be written")


def run_all(args, rows):
    """Appends to `rows`, case by case."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check(args, folder)
        for model, threads, batch, asked in itertools.product(
                args.models, args.threads, args.batch, args.sparsity):
            rows += run_case(args, model, asked, batch, threads, folder)
            tables.write_csv(rows, args.csv)


def main():
    args = parse()
    args.interpreters = interpreters(args)
    args.allowed = sorted(os.sched_getaffinity(0))
    rows = []
    try:
        run_all(args, rows)
    except (EngineError, ValueError, OSError) as error:
        sys.exit(f"compare.py: error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"compare.py: interrupted; finished cases are in {args.csv}")
    if all(row.left_out for row in rows):
        sys.exit("compare.py: error: no engine could be timed; the reasons are above")
    print("\n".join(tables.section(rows)))
    if args.update:
        tables.update(args.update, rows)


if __name__ == "__main__":
    main()
