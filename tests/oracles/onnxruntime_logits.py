"""Runs an ONNX model in ONNX Runtime on a given input.

    onnxruntime_logits.py MODEL.onnx INPUT OUTPUT

INPUT and OUTPUT hold one tensor: int64 rank, int64 dimensions, float32 elements, all in the
machine's byte order. The first input of the model is fed, its first output is written.
Exit status 77: numpy or onnxruntime is missing.
"""

import sys

try:
    import numpy as np
    import onnxruntime
except ImportError as error:
    print(error)
    sys.exit(77)


def read_tensor(path):
    with open(path, "rb") as file:
        rank = int(np.fromfile(file, np.int64, 1)[0])
        dims = np.fromfile(file, np.int64, rank)
        return np.fromfile(file, np.float32).reshape(dims)


def write_tensor(path, array):
    with open(path, "wb") as file:
        np.array([array.ndim, *array.shape], np.int64).tofile(file)
        np.ascontiguousarray(array, np.float32).tofile(file)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(sys.argv[1], options,
                                           providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: read_tensor(sys.argv[2])})
    write_tensor(sys.argv[3], outputs[0])


if __name__ == "__main__":
    main()
