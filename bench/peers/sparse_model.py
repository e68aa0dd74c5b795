"""Makes the file that every engine gets: weights zeroed by magnitude, the batch fixed.

Every Conv (depthwise ones are left), Gemm and MatMul layer loses the same share of its
weights, the smallest ones. Needs onnx and numpy.
"""

import numpy as np
import onnx
from onnx import numpy_helper


def _constants(graph):
    """Name → tensor (a reference into the graph) of everything constant."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    found[node.output[0]] = attribute.t
    return found


def _group(node):
    return next((a.i for a in node.attribute if a.name == "group"), 1)


def _layer_weights(graph):
    """The weight tensors to prune, each once."""
    constants = _constants(graph)
    found = {}
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        name = node.input[1]
        if name not in constants:
            if node.op_type == "MatMul":  # of two activations
                continue
            raise ValueError(f'{node.op_type} "{node.name}": weight "{name}" is no constant')
        if node.op_type == "Conv" and _group(node) > 1 and constants[name].dims[1] == 1:
            continue
        found[name] = constants[name]
    if not found:
        raise ValueError("no Conv, Gemm or MatMul layer with a constant weight")
    return found


def _zero_smallest(tensor, sparsity):
    """Zeroes int(sparsity·size) weights in place; returns how many zeros there are then."""
    values = numpy_helper.to_array(tensor).copy()
    count = int(sparsity * values.size)
    if count > 0:
        flat = values.reshape(-1)
        flat[np.argpartition(np.abs(flat), count - 1)[:count]] = 0
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return int((values == 0).sum())


def _fix_batch(graph, batch):
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    for value in inputs + list(graph.output):
        first = value.type.tensor_type.shape.dim[0]
        if value in inputs and first.HasField("dim_value") and first.dim_value != batch:
            raise ValueError(f'input "{value.name}" is fixed to a batch of {first.dim_value}, '
                             f"{batch} asked for")
        first.dim_value = batch
    if len(inputs) != 1:
        raise ValueError(f"{len(inputs)} inputs; networks with one are compared")
    shape = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    if min(shape) < 1:
        raise ValueError(f"input \"{inputs[0].name}\" has no fixed size: {shape}")
    del graph.value_info[:]  # may tell the old batch
    return shape


def write(source, sparsity, batch, target):
    """Writes `target`; returns (share of zeros in the layers pruned, shape of the input).

    Throws ValueError when `source` is no ONNX file or cannot be compared.
    """
    try:
        return _write(source, sparsity, batch, target)
    except OSError as error:
        raise ValueError(f"{source}: {error.strerror or error}") from error
    except Exception as error:  # protobuf and the checker have exceptions of their own
        raise ValueError(f"{source}: {error}") from error


def _write(source, sparsity, batch, target):
    model = onnx.load(source)
    weights = _layer_weights(model.graph).values()
    total = sum(int(np.prod(tensor.dims)) for tensor in weights)
    zeros = sum(_zero_smallest(tensor, sparsity) for tensor in weights)
    shape = _fix_batch(model.graph, batch)
    onnx.checker.check_model(model)
    onnx.save(model, target)
    return zeros / total, shape
