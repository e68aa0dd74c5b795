"""Writes random one-operator ONNX models with ONNX Runtime's outputs.

    onnxruntime_operators.py FOLDER SEED COUNT

Makes COUNT cases an operator. FOLDER/cases.txt lists them, a line each: model file, number of
inputs, number of outputs, description. Tensors lie beside the model as NAME.in0, NAME.out0 …
in the format of onnxruntime_logits.py. Exit status 77: numpy, onnx or onnxruntime is missing.
"""

import os
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    print(error)
    sys.exit(77)

from onnxruntime_logits import write_tensor


class Case:
    """One node: its data inputs, constants (appended after them) and attributes."""

    def __init__(self, op, inputs, constants=(), opset=13, outputs=1, **attributes):
        self.op, self.opset, self.outputs, self.attributes = op, opset, outputs, attributes
        self.inputs = [np.asarray(x, np.float32) for x in inputs]
        self.constants = list(constants)

    def model(self):
        names, initializers = [f"x{i}" for i in range(len(self.inputs))], []
        for i, value in enumerate(self.constants):
            names.append("" if value is None else f"c{i}")
            if value is not None:
                initializers.append(numpy_helper.from_array(value, f"c{i}"))
        outputs = [f"y{i}" for i in range(self.outputs)]
        node = helper.make_node(self.op, names, outputs, name="case", **self.attributes)
        graph = helper.make_graph(
            [node], "case",
            [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, x.shape)
             for i, x in enumerate(self.inputs)],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, None) for y in outputs],
            initializers)
        return helper.make_model(graph, ir_version=8,
                                 opset_imports=[helper.make_opsetid("", self.opset)])

    def run(self):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(self.model().SerializeToString(), options,
                                               providers=["CPUExecutionProvider"])
        return session.run(None, {f"x{i}": x for i, x in enumerate(self.inputs)})


class Maker:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def int(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def pick(self, *values):
        return values[self.int(0, len(values) - 1)]

    def ints(self, count, low, high):
        return [self.int(low, high) for _ in range(count)]

    def tensor(self, *dims, scale=1.0):
        return (scale * self.rng.standard_normal(dims)).astype(np.float32)

    def any_tensor(self, low_rank=1, high_rank=4, high=6):
        return self.tensor(*self.ints(self.int(low_rank, high_rank), 1, high))

    def window(self, kernel):
        attributes = {"strides": self.ints(2, 1, 3), "kernel_shape": kernel}
        auto = self.pick("NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
        if auto == "NOTSET":
            attributes["pads"] = [self.int(0, k - 1) for k in kernel * 2]
        else:
            attributes["auto_pad"] = auto
        return attributes

    def pool_window(self):
        attributes = self.window(self.ints(2, 1, 4))
        attributes["ceil_mode"] = self.int(0, 1)
        return attributes

    def Conv(self):
        groups, kernel = self.int(1, 3), self.ints(2, 1, 4)
        x = self.tensor(2, groups * 2, *self.ints(2, 9, 14))
        w = self.tensor(groups * self.int(1, 3), 2, *kernel)
        attributes = self.window(kernel)
        attributes["dilations"] = self.ints(2, 1, 2)
        bias = [self.tensor(w.shape[0])] if self.int(0, 1) else []
        return Case("Conv", [x], [w] + bias, group=groups, **attributes)

    def MaxPool(self):
        window = self.pool_window()
        if "SAME" not in window.get("auto_pad", ""):  # there ONNX Runtime ignores dilations
            window["dilations"] = self.ints(2, 1, 2)
        return Case("MaxPool", [self.tensor(2, 3, *self.ints(2, 7, 12))], **window)

    def AveragePool(self):
        return Case("AveragePool", [self.tensor(2, 3, *self.ints(2, 7, 12))],
                    opset=self.pick(11, 19), count_include_pad=self.int(0, 1),
                    **self.pool_window())

    def GlobalAveragePool(self):
        return Case("GlobalAveragePool", [self.tensor(2, 3, *self.ints(2, 1, 9))])

    def BatchNormalization(self):
        x = self.tensor(2, 5, *self.ints(self.int(0, 2), 1, 5))
        constants = [self.tensor(5) for _ in range(3)] + [np.abs(self.tensor(5))]
        return Case("BatchNormalization", [x], constants, epsilon=self.pick(1e-3, 1e-5))

    def Gemm(self):
        m, n, k = self.ints(3, 1, 9)
        trans_b = self.int(0, 1)
        a = self.tensor(m, k)
        b = self.tensor(*((n, k) if trans_b else (k, n)))
        c = self.pick([], [self.tensor(n)], [self.tensor(1, n)])
        return Case("Gemm", [a], [b] + c, transB=trans_b,
                    alpha=self.pick(1.0, 0.5), beta=self.pick(1.0, 2.0))

    def MatMul(self):
        m, n, k = self.ints(3, 1, 9)
        a = self.tensor(*self.pick((m, k), (2, m, k), (2, 3, m, k)))
        if self.int(0, 1):
            return Case("MatMul", [a], [self.tensor(k, n)])
        return Case("MatMul", [a, self.tensor(*self.pick((k, n), (3, k, n), (2, 3, k, n))
                                              if a.ndim == 4 else (k, n))])

    def Relu(self):
        return Case("Relu", [self.any_tensor()])

    def Sigmoid(self):
        return Case("Sigmoid", [self.any_tensor()])

    def HardSigmoid(self):
        extra = self.pick({}, {"alpha": 1 / 6, "beta": 0.5})
        return Case("HardSigmoid", [4 * self.any_tensor()], **extra)

    def HardSwish(self):
        return Case("HardSwish", [4 * self.any_tensor()], opset=14)

    def Clip(self):
        bounds = [self.pick(None, np.float32(-0.5)), self.pick(np.array(0.25, np.float32))]
        if self.int(0, 1):
            return Case("Clip", [self.any_tensor()], opset=9, min=-0.5, max=0.25)
        return Case("Clip", [self.any_tensor()],
                    [None if b is None else np.array(b, np.float32) for b in bounds])

    def binary(self, op):
        dims = self.ints(4, 1, 4)
        a, b = list(dims), list(dims)
        for i in range(4):
            (a if self.int(0, 1) else b)[i] = self.pick(dims[i], 1)
        return Case(op, [self.tensor(*a), self.tensor(*b[self.int(0, 3):])])

    def Add(self):
        return self.binary("Add")

    def Mul(self):
        return self.binary("Mul")

    def Concat(self):
        dims, axis = self.ints(4, 1, 4), self.int(-4, 3)
        parts = []
        for _ in range(self.int(1, 3)):
            dims[axis] = self.int(1, 4)
            parts.append(self.tensor(*dims))
        return Case("Concat", parts, axis=axis)

    def ReduceMean(self):
        x = self.tensor(2, *self.ints(3, 1, 5))
        axes = sorted(int(a) for a in self.rng.permutation(4)[:self.int(1, 4)])
        if self.int(0, 1):
            return Case("ReduceMean", [x], axes=axes, keepdims=self.int(0, 1))
        return Case("ReduceMean", [x], [np.array(axes, np.int64)], opset=18,
                    keepdims=self.int(0, 1))

    def Flatten(self):
        return Case("Flatten", [self.tensor(2, 3, 4, 5)], axis=self.int(-4, 4))

    def Reshape(self):
        shape = self.pick([0, -1], [-1, 4], [2, 0, 20], [0, 0, -1], [0, 60])
        return Case("Reshape", [self.tensor(2, 3, 4, 5)], [np.array(shape, np.int64)])

    def Transpose(self):
        return Case("Transpose", [self.tensor(2, 3, 4, 5)],
                    perm=[int(a) for a in self.rng.permutation(4)])

    def Pad(self):
        mode = self.pick("constant", "reflect", "edge")
        pads = self.ints(8, -1 if mode == "constant" else 0, 2)
        value = [np.array(1.5, np.float32)] if mode == "constant" and self.int(0, 1) else []
        return Case("Pad", [self.tensor(3, 4, 5, 3)], [np.array(pads, np.int64)] + value, mode=mode)

    def Softmax(self):
        x = self.tensor(2, 3, 4, 5, scale=3)
        # Before opset 13 all dimensions from axis on are normalised together: never the batch.
        return self.pick(Case("Softmax", [x], axis=self.int(-4, 3)),
                         Case("Softmax", [x], axis=self.int(1, 3), opset=11))

    def LRN(self):
        return Case("LRN", [self.tensor(2, self.int(1, 9), 3, 3)], size=self.pick(1, 3, 5),
                    alpha=self.pick(1e-4, 0.5), beta=self.pick(0.75, 0.5), bias=self.pick(1.0, 2.0))

    def Resize(self):
        x = self.tensor(1, 2, *self.ints(2, 2, 7))
        mode = self.pick("nearest", "linear")
        extra = {"nearest_mode": self.pick("round_prefer_floor", "round_prefer_ceil", "floor",
                                           "ceil")} if mode == "nearest" else {}
        transform = self.pick("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
        roi = np.array([], np.float32)
        if self.int(0, 1):
            scales = np.array([1, 1, self.pick(0.5, 1, 1.5, 2, 3), self.pick(0.6, 1, 2, 2.7)])
            constants = [roi, scales.astype(np.float32)]
        else:
            constants = [roi, np.array([], np.float32) if self.int(0, 1) else None,
                         np.array([1, 2, *self.ints(2, 1, 14)], np.int64)]
        return Case("Resize", [x], constants, mode=mode, opset=13,
                    coordinate_transformation_mode=transform, **extra)

    def Slice(self):
        x = self.tensor(3, 4, 5, 6)
        axes = sorted(int(a) for a in self.rng.permutation(4)[:self.int(1, 4)])
        steps = [self.pick(-2, -1, 1, 2) for _ in axes]
        starts = [self.int(-3, 7) for _ in axes]
        # ONNX Runtime alone reads 2^63 - 1 as "to the start" when walking backwards.
        ends = [self.pick(self.int(-7, 7), 2**63 - 1 if s > 0 else -2**63) for s in steps]
        return Case("Slice", [x], [np.array(v, np.int64) for v in (starts, ends, axes, steps)])

    def Split(self):
        sizes = self.ints(self.int(1, 3), 1, 3)
        dims, axis = [2, 3, 4], self.int(-3, 2)
        dims[axis] = sum(sizes)
        if self.int(0, 1):
            return Case("Split", [self.tensor(*dims)], opset=11, axis=axis, split=sizes,
                        outputs=len(sizes))
        return Case("Split", [self.tensor(*dims)], [np.array(sizes, np.int64)], axis=axis,
                    outputs=len(sizes))

    def Identity(self):
        return Case("Identity", [self.any_tensor()])

    def Dropout(self):
        return Case("Dropout", [self.any_tensor()])


def make(maker, op):
    """A case that ONNX Runtime accepts and whose outputs are not empty."""
    for _ in range(100):
        case = getattr(maker, op)()
        try:
            outputs = case.run()
        except Exception:  # refused by ONNX Runtime: draw again
            continue
        if all(y.size > 0 for y in outputs):
            return case, outputs
    sys.exit(f"ONNX Runtime refused 100 cases of {op}")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, maker, count = sys.argv[1], Maker(int(sys.argv[2])), int(sys.argv[3])
    operators = [name for name in vars(Maker) if name[0].isupper()]
    with open(os.path.join(folder, "cases.txt"), "w") as listing:
        for op in operators:
            for i in range(count):
                case, outputs = make(maker, op)
                name = f"{op}{i}"
                onnx.save(case.model(), os.path.join(folder, name + ".onnx"))
                for kind, tensors in (("in", case.inputs), ("out", outputs)):
                    for j, tensor in enumerate(tensors):
                        write_tensor(os.path.join(folder, f"{name}.{kind}{j}"), tensor)
                constants = [None if c is None else (c.tolist() if c.size <= 8 else c.shape)
                             for c in case.constants]
                listing.write(f"{name} {len(case.inputs)} {len(outputs)} opset {case.opset} "
                              f"{case.attributes} constants {constants}\n")


if __name__ == "__main__":
    main()
