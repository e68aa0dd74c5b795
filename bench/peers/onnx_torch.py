"""An ONNX network run node by node with torch.nn.functional, for the scripts beside it.

Knows the operators of convolutional classifiers, one output a node. Any other operator raises
ValueError. Needs torch, onnx and numpy from PyPI.
"""

import math

import onnx
import onnx.numpy_helper
import torch
from torch.nn import functional


def attributes_of(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


class Network:
    """The graph's nodes as (operator, input names, output name, attributes), and its parameters."""

    def __init__(self, path):
        graph = onnx.load(path).graph
        initializers = {tensor.name for tensor in graph.initializer}
        self.input = next(i.name for i in graph.input if i.name not in initializers)
        self.output = graph.output[0].name
        self.nodes = [(n.op_type, list(n.input), n.output[0], attributes_of(n))
                      for n in graph.node]
        self.parameters = {tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
                           for tensor in graph.initializer}

    def layers(self):
        """Output name to weight name, of each convolution and fully connected layer."""
        return {output: inputs[1] for op, inputs, output, _ in self.nodes
                if op in ("Conv", "Gemm")}

    def run(self, nodes, values, training=False):
        """Adds to `values` (name to tensor) what `nodes` make of them."""
        for op, inputs, output, attributes in nodes:
            values[output] = apply(op, [values[name] if name else None for name in inputs],
                                   attributes, training)


def pooling(a):
    """The arguments of a max pool; torch pads alike in front and behind."""
    pads = a.get("pads", [0, 0, 0, 0])
    if pads[:2] != pads[2:]:
        raise ValueError("MaxPool with pads that differ")
    return {"kernel_size": a["kernel_shape"], "stride": a.get("strides", 1),
            "padding": pads[:2], "ceil_mode": bool(a.get("ceil_mode", 0))}


def convolution(x, a):
    pads = a.get("pads", [0, 0, 0, 0])
    image = x[0]
    if pads[:2] != pads[2:]:
        image = functional.pad(image, (pads[1], pads[3], pads[0], pads[2]))
        pads = [0, 0, 0, 0]
    return functional.conv2d(image, *x[1:], stride=a.get("strides", 1), padding=pads[:2],
                             dilation=a.get("dilations", 1), groups=a.get("group", 1))


def batch_norm(x, a, training):
    return functional.batch_norm(x[0], x[3], x[4], x[1], x[2], training=training, momentum=0.1,
                                 eps=a.get("epsilon", 1e-5))


def bounds(x, a):
    """Of Clip: inputs, or attributes up to version 6 of the operator."""
    low, high = [None if value is None else float(value) for value in (x[1:] + [None] * 2)[:2]]
    return (a.get("min", -math.inf) if low is None else low,
            a.get("max", math.inf) if high is None else high)


def reduce_mean(x, a):
    axes = a["axes"] if "axes" in a else x[1].tolist()
    return x[0].mean(dim=axes, keepdim=bool(a.get("keepdims", 1)))


def apply(op, x, a, training=False):
    if op == "BatchNormalization":
        return batch_norm(x, a, training)
    simple = {
        "Add": lambda: x[0] + x[1],
        "Clip": lambda: functional.hardtanh(x[0], *bounds(x, a)),
        "Concat": lambda: torch.cat(x, dim=a["axis"]),
        "Constant": lambda: torch.from_numpy(onnx.numpy_helper.to_array(a["value"]).copy()),
        "Conv": lambda: convolution(x, a),
        "Dropout": lambda: x[0],
        "Flatten": lambda: torch.flatten(x[0], 1),
        "Gemm": lambda: functional.linear(x[0], x[1] if a.get("transB") else x[1].T, *x[2:]),
        "GlobalAveragePool": lambda: functional.adaptive_avg_pool2d(x[0], 1),
        "HardSigmoid": lambda: (x[0] * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0, 1),
        "HardSwish": lambda: functional.hardswish(x[0]),
        "Identity": lambda: x[0],
        "MaxPool": lambda: functional.max_pool2d(x[0], **pooling(a)),
        "Mul": lambda: x[0] * x[1],
        "ReduceMean": lambda: reduce_mean(x, a),
        "Relu": lambda: functional.relu(x[0]),
        "Sigmoid": lambda: torch.sigmoid(x[0]),
    }
    if op not in simple:
        raise ValueError(f"{op}: the PyTorch side does not know this operator")
    return simple[op]()
