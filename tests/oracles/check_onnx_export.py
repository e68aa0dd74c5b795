"""Compares exported ONNX models with their originals in ONNX Runtime.

    check_onnx_export.py TOOL MODEL.onnx …

TOOL is the onnx_roundtrip binary of tests/io. Each model is read and written by it, checked
by onnx.checker, and run beside the original on seeded random images (batches of 1 and 3).
The exit status is 1 when an output differs by more than 1e-5 of the largest logit, or when
the number of zero weights changed. Needs numpy, onnx and onnxruntime.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

TOLERANCE = 1e-5


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def images(model_input, batch, rng):
    dims = [d if isinstance(d, int) and i > 0 else batch for i, d in enumerate(model_input.shape)]
    return rng.standard_normal(dims).astype(np.float32)


def free_batch(model):
    first = model.graph.input[-1].type.tensor_type.shape.dim[0]
    return not first.HasField("dim_value")


def layer_zeros(model):
    """Zeros, and negative zeros, in the weights of Conv, Gemm and MatMul."""
    constants = {t.name: t for t in model.graph.initializer}
    names = {n.input[1] for n in model.graph.node if n.op_type in ("Conv", "Gemm", "MatMul")}
    zeros = negative = 0
    for name in names & constants.keys():
        values = numpy_helper.to_array(constants[name])
        zeros += int((values == 0).sum())
        negative += int(np.signbit(values[values == 0]).sum())
    return zeros, negative


def compare(tool, path, folder):
    copy = os.path.join(folder, os.path.basename(path))
    subprocess.run([tool, path, copy], check=True, capture_output=True, text=True)
    original, exported = onnx.load(path), onnx.load(copy)
    onnx.checker.check_model(exported, full_check=True)
    rng = np.random.default_rng(0)
    a, b = session(path), session(copy)
    worst = 0.0
    for batch in (1, 3) if free_batch(original) else (1,):
        feed = {i.name: images(i, batch, rng) for i in a.get_inputs()}
        for x, y in zip(a.run(None, feed), b.run(None, feed)):
            worst = max(worst, float(np.abs(x - y).max() / max(1e-30, np.abs(x).max())))
    (zeros, _), (kept, negative) = layer_zeros(original), layer_zeros(exported)
    good = worst <= TOLERANCE and zeros == kept and negative == 0
    print(f"{'ok  ' if good else 'FAIL'} {os.path.basename(path)}: opset "
          f"{original.opset_import[0].version} -> {exported.opset_import[0].version}, "
          f"largest difference {worst:.1e} of the largest logit, zeros {zeros} -> {kept}")
    return good


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        results = [compare(sys.argv[1], path, folder) for path in sys.argv[2:]]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
