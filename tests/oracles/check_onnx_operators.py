"""Compares small models of every operator form and opset with what we write for them.

    check_onnx_operators.py TOOL

TOOL is the onnx_roundtrip binary of tests/io. Each case is one operator in the form of one
opset; it is read, folded to our conventions, written as opset 13 or 14, and both files run in
ONNX Runtime on seeded inputs. Equal outputs show that the folding keeps the meaning. The exit
status is 1 when an output differs by more than 1e-5. Needs numpy, onnx and onnxruntime.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(1)
X = ["batch", 4, 9, 11]


def weights(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


def case(op, opset, consts=(), x=None, outputs=1, **attributes):
    """One node on input x and the constants (None is an absent input)."""
    names = ["x"] + ["" if c is None else f"c{i}" for i, c in enumerate(consts)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, name=op.lower(), **attributes)
    tensors = [numpy_helper.from_array(c, f"c{i}") for i, c in enumerate(consts) if c is not None]
    graph = helper.make_graph(
        [node], "case", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x or X)],
        [helper.make_tensor_value_info(r, TensorProto.FLOAT, None) for r in results], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def windows():
    w, b = weights(6, 4, 3, 3), weights(6)
    for opset in (9, 11, 13, 19):
        yield case("Conv", opset, (w, b), strides=[2, 1], dilations=[1, 2], pads=[0, 1, 2, 3])
        for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            yield case("Conv", opset, (w,), auto_pad=pad, strides=[2, 3])
            yield case("MaxPool", opset, (), auto_pad=pad, kernel_shape=[3, 2], strides=[2, 2])
    yield case("Conv", 13, (weights(6, 2, 3, 1),), group=2, kernel_shape=[3, 1])
    for opset in (10, 11, 12):
        yield case("MaxPool", opset, (), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
        yield case("MaxPool", opset, (), kernel_shape=[2, 2], dilations=[2, 1], pads=[1, 0, 1, 1])
        yield case("AveragePool", opset, (), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4,
                   count_include_pad=1)
        yield case("AveragePool", opset, (), kernel_shape=[3, 3], pads=[1, 0, 0, 1])
    yield case("GlobalAveragePool", 9)
    yield case("LRN", 9, (), size=3, alpha=0.01, beta=0.6, bias=2.0)
    stats = (weights(4), weights(4), weights(4), np.abs(weights(4)) + 1)
    for opset in (9, 14, 15):
        yield case("BatchNormalization", opset, stats, epsilon=1e-3)


def matrices():
    for opset in (9, 11, 13):
        yield case("Gemm", opset, (weights(8, 5), weights(5)), ["batch", 8], alpha=0.5, beta=2.0)
        yield case("Gemm", opset, (weights(5, 8), weights(1, 5)), ["batch", 8], transB=1)
        yield case("Gemm", opset, (weights(8, 5), weights(1)), ["batch", 8])
        yield case("MatMul", opset, (weights(8, 5),), ["batch", 8])
        yield case("MatMul", opset, (weights(11, 5),))
        yield case("MatMul", opset, (weights(4, 11, 5),))
    yield case("Gemm", 13, (weights(8, 5),), ["batch", 8])


def elementwise():
    for opset in (9, 13, 14):
        for op in ("Relu", "Sigmoid", "Identity"):
            yield case(op, opset)
        yield case("HardSigmoid", opset, (), alpha=0.3, beta=0.4)
        yield case("Add", opset, (weights(4, 1, 1),))
        yield case("Mul", opset, (np.float32(2.5).reshape(()),))
        yield case("Concat", opset, (weights(1, 4, 9, 3),), [1, 4, 9, 11], axis=-1)
    yield case("HardSwish", 14)
    yield case("HardSigmoid", 19)
    yield case("Clip", 9, (), min=-0.5, max=0.25)
    yield case("Clip", 10, (), max=0.25)
    for opset in (11, 12, 13):
        yield case("Clip", opset, (np.float32(-0.5), np.float32(0.25)))
        yield case("Clip", opset, (None, np.float32(0.25)))
        yield case("Clip", opset, (np.float32(-0.5),))
    yield case("Dropout", 9, (), ratio=0.3)
    yield case("Dropout", 12, (np.float32(0.3),))
    yield case("Dropout", 13, (np.float32(0.3), np.array(False)))
    for opset in (9, 12, 13, 19):
        for axis in (1, 2, 3, -1):
            yield case("Softmax", opset, (), axis=axis)
        yield case("Softmax", opset)
        yield case("Softmax", opset, (), ["batch", 4, 1, 1])


def movements():
    for opset, axes in ((9, [2, 3]), (11, [-1]), (13, [1, -2])):
        yield case("ReduceMean", opset, (), axes=axes, keepdims=0)
        yield case("ReduceMean", opset, (), axes=axes)
    yield case("ReduceMean", 18, (ints(2, 3),), keepdims=0)
    yield case("ReduceMean", 18, (), noop_with_empty_axes=1)
    for opset in (9, 13, 14, 19):
        yield case("Reshape", opset, (ints(0, -1),))
        yield case("Reshape", opset, (ints(1, 2, 2, 99),), [1, 4, 9, 11])
        yield case("Reshape", opset, (ints(1, -1),), [1, 4, 9, 11])
        yield case("Flatten", opset, (), axis=2)
        yield case("Flatten", opset)
        yield case("Transpose", opset, (), perm=[0, 2, 3, 1])
    yield case("Flatten", 11, (), axis=-3)
    yield case("Pad", 9, (), pads=[0, 0, 1, 2, 0, 0, 3, 0], value=0.5)
    for mode in ("reflect", "edge", "constant"):
        for opset in (11, 13, 18):
            yield case("Pad", opset, (ints(0, 1, 2, 0, 0, 0, 1, 3),), mode=mode)
    yield case("Pad", 11, (ints(0, 0, 2, 0, 0, 0, 1, 3), np.float32(1.5)))
    yield case("Pad", 18, (ints(1, 2, 3, 4), None, ints(-1, 2)), mode="edge")
    yield case("Pad", 13, (ints(0, 0, -2, 0, 0, 0, 1, -3),))
    yield case("Slice", 9, (), starts=[1, -4], ends=[3, 2 ** 31 - 1], axes=[1, 3])
    yield case("Slice", 9, (), starts=[0, 1], ends=[9, 3])
    for opset in (10, 11, 13):
        yield case("Slice", opset, (ints(1, -2), ints(2 ** 63 - 1, -2 ** 63), ints(1, 3),
                                    ints(2, -3)))
        yield case("Slice", opset, (ints(0, 1), ints(9, 3)))
    yield case("Slice", 13, (np.array([1], np.int32), np.array([3], np.int32),
                             np.array([-1], np.int32)))
    for opset in (9, 11):
        yield case("Split", opset, (), outputs=2, axis=1, split=[1, 3])
        yield case("Split", opset, (), outputs=2, axis=1)
    yield case("Split", 13, (ints(5, 4),), outputs=2, axis=-2)
    yield case("Split", 13, (), outputs=3, axis=2)
    yield case("Split", 18, (), outputs=2, axis=2, num_outputs=2)
    yield case("Split", 18, (ints(1, 1, 9),), outputs=3, axis=3)


def resizes():
    up, down = np.float32([1, 1, 2, 3]), np.float32([1, 1, 0.5, 0.5])
    for mode in ("nearest", "linear"):
        yield case("Upsample", 9, (up,), mode=mode)
        yield case("Resize", 10, (up,), mode=mode)
        yield case("Resize", 10, (down,), mode=mode)
        yield case("Resize", 10, (np.float32([1, 1, 0.4, 0.7]),), mode=mode)
        yield case("Resize", 10, (np.float32([1, 1, 1.7, 2.3]),), mode=mode)
        for opset in (11, 13, 18, 19):
            for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
                options = dict(mode=mode, coordinate_transformation_mode=coordinates)
                for nearest in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
                    yield case("Resize", opset, (np.float32([]), down), nearest_mode=nearest,
                               **options)
                yield case("Resize", opset, (np.float32([]), up), **options)
                sizes = (np.float32([]), np.float32([]), ints(1, 4, 18, 22))
                yield case("Resize", opset, sizes, [1, 4, 9, 11], **options)
    yield case("Resize", 18, (None, np.float32([2, 3])), axes=[-1, 2])


def run(path, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    model = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return model.run(None, {"x": x})


def check(tool, model, folder):
    node = model.graph.node[0]
    text = [f"{a.name}={helper.get_attribute_value(a)}" for a in node.attribute]
    name = f"{node.op_type} opset {model.opset_import[0].version} {' '.join(text)}"
    original, exported = os.path.join(folder, "a.onnx"), os.path.join(folder, "b.onnx")
    onnx.save(model, original)
    result = subprocess.run([tool, original, exported], capture_output=True, text=True)
    if result.returncode != 0:
        return f"FAIL {name}: {result.stderr.strip()}"
    onnx.checker.check_model(onnx.load(exported), full_check=True)
    dims = [d.dim_value or 2 for d in model.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(2).standard_normal(dims).astype(np.float32)
    try:
        expected = run(original, x)
    except Exception as error:  # what ONNX Runtime itself cannot run proves nothing
        return f"skip {name}: {str(error)[:100]}"
    for a, b in zip(expected, run(exported, x)):
        if a.shape != b.shape or np.abs(a - b).max() > 1e-5:
            return f"FAIL {name}: {a.shape} {b.shape}"
    return "ok"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cases = [c for make in (windows, matrices, elementwise, movements, resizes) for c in make()]
    with tempfile.TemporaryDirectory() as folder:
        results = [check(sys.argv[1], model, folder) for model in cases]
    for result in results:
        if result != "ok":
            print(result)
    print(f"{results.count('ok')} of {len(cases)} cases agree")
    sys.exit(1 if any(r.startswith("FAIL") for r in results) else 0)


if __name__ == "__main__":
    main()
