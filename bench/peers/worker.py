#!/usr/bin/env python3
"""One engine behind a pipe, for compare.py: it loads a model and obeys lines.

    worker.py ENGINE MODEL --batch N --threads N

    (start)        "ready<TAB>version<TAB>how it runs"
    input FILE     "ok": raw float32 for the network's input
    run N          "times" and N times of one inference each, in milliseconds
    outputs FILE   "ok": runs once and writes the first output as raw float32
    quit           ends, as does the end of the input

A failure is answered by "error<TAB>message" and ends the worker. bench/plan_worker.cc
answers the same lines for our own plans. Imports only the engine asked for, and numpy.
"""

import argparse
import os
import sys
import time

import numpy as np


class OnnxRuntime:
    def __init__(self, model, threads, batch):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self.name = self.session.get_inputs()[0].name
        self.shape = self.session.get_inputs()[0].shape
        self.version = onnxruntime.__version__
        self.how = "all graph optimisations"

    def set_input(self, image):
        self.feed = {self.name: image}

    def run(self):
        return self.session.run(None, self.feed)[0]


class OpenVino:
    def __init__(self, model, threads, batch):
        import openvino

        core = openvino.Core()
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",  # else bf16 where the processor has it
        }
        compiled = core.compile_model(core.read_model(model), "CPU", settings)
        self.request = compiled.create_infer_request()
        self.shape = list(compiled.input(0).shape)
        self.tensor = openvino.Tensor
        self.version = openvino.__version__.split("-")[0]
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if precision != "f32":
            raise RuntimeError(f"computes in {precision}, f32 was asked for")
        self.how = f"latency hint, one stream, {precision} asked for and confirmed"

    def set_input(self, image):
        self.image = image
        self.request.set_input_tensor(self.tensor(image, shared_memory=True))

    def run(self):
        self.request.infer()
        return self.request.get_output_tensor(0).data


class DeepSparse:
    def __init__(self, model, threads, batch):
        import deepsparse

        self.engine = deepsparse.compile_model(model, batch_size=batch, num_cores=threads)
        self.shape = list(self.engine.input_shapes[0])
        self.version = deepsparse.__version__
        supported = 100 * self.engine.fraction_of_supported_ops
        self.how = f"{self.engine.cpu_avx_type}, {supported:.0f} % of the operators its own"

    def set_input(self, image):
        self.feed = [image]

    def run(self):
        return self.engine.run(self.feed, val_inp=False)[0]


class PyTorch:
    def __init__(self, model, threads, batch):
        import onnx
        import onnx2torch
        import torch

        torch.set_num_threads(threads)
        self.torch = torch
        loaded = onnx.load(model)
        self.shape = [d.dim_value for d in loaded.graph.input[0].type.tensor_type.shape.dim]
        module = onnx2torch.convert(loaded).eval()
        with torch.inference_mode():
            frozen = torch.jit.freeze(torch.jit.trace(module, torch.zeros(self.shape)))
            self.module = torch.jit.optimize_for_inference(frozen)  # oneDNN's own layouts
        self.version = torch.__version__
        self.how = "traced, frozen, optimize_for_inference"

    def set_input(self, image):
        self.image = self.torch.from_numpy(image)

    def run(self):
        with self.torch.inference_mode():
            return self.module(self.image).numpy()


ENGINES = {
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "deepsparse": DeepSparse,
    "pytorch": PyTorch,
}


def times(engine, count):
    found = []
    for _ in range(count):
        start = time.perf_counter()
        engine.run()
        found.append(1e3 * (time.perf_counter() - start))
    return found


def serve(engine, commands, answer):
    answer(f"ready\t{engine.version}\t{engine.how}")
    for line in commands:
        command, _, argument = line.strip().partition(" ")
        if command == "run":
            answer("times " + " ".join(f"{t:.6f}" for t in times(engine, int(argument))))
        elif command == "input":
            image = np.fromfile(argument, dtype=np.float32).reshape(engine.shape)
            engine.set_input(image)
            answer("ok")
        elif command == "outputs":
            np.asarray(engine.run(), dtype=np.float32).tofile(argument)
            answer("ok")
        elif command == "quit":
            return
        else:
            raise ValueError(f'unknown command "{line.strip()}"; known: input, run, outputs, quit')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engine", choices=sorted(ENGINES))
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    # Engines print banners on the standard output: they go to the error output, answers here.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        engine = ENGINES[args.engine](args.model, args.threads, args.batch)
        serve(engine, sys.stdin, lambda line: print(line, file=answers, flush=True))
    except Exception as error:  # anything an engine throws is the answer
        text = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"error\t{text}", file=answers, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
