"""The same job with onnx and numpy: load, score by Euclidean norm, keep the better half of the heads and of the neurons of
every layer of a model of bench/models.ts, write.

    python3 bench/peers/halve.py in.onnx out.onnx
"""

import sys

import numpy as np
import onnx
from onnx import numpy_helper

HEADS, WIDTH = 12, 64

model = onnx.load(sys.argv[1])
weights = {tensor.name: tensor for tensor in model.graph.initializer}
arrays = {}


def array(name):
    if name not in arrays:
        arrays[name] = numpy_helper.to_array(weights[name])
    return arrays[name]


def biased(product):
    """The bias of the Add that reads a product."""
    add = next(node for node in readers[product.output[0]] if node.op_type == "Add")
    return next(name for name in add.input if name in weights)


readers = {}
for node in model.graph.node:
    for name in node.input:
        readers.setdefault(name, []).append(node)
products = [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in weights]
wide = HEADS * WIDTH
square = [node for node in products if list(weights[node.input[1]].dims) == [wide, wide]]
tall = [node for node in products if list(weights[node.input[1]].dims) not in ([wide, wide],)]


def keep_best(scores):
    return np.sort(np.argsort(-scores, kind="stable")[: len(scores) // 2])


def put(name, value):
    weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), name))


for layer in range(len(square) // 4):
    query, key, value, output = square[4 * layer : 4 * layer + 4]
    scores = sum(
        (array(node.input[1]) ** 2).reshape(wide, HEADS, WIDTH).sum(axis=(0, 2)) for node in (query, key, value)
    )
    scores = np.sqrt(scores + (array(output.input[1]) ** 2).reshape(HEADS, WIDTH, wide).sum(axis=(1, 2)))
    columns = (keep_best(scores)[:, None] * WIDTH + np.arange(WIDTH)).ravel()
    for node in (query, key, value):
        put(node.input[1], array(node.input[1])[:, columns])
        put(biased(node), array(biased(node))[columns])
    put(output.input[1], array(output.input[1])[columns])
    up, down = tall[2 * layer : 2 * layer + 2]
    neurons = keep_best(np.sqrt((array(up.input[1]) ** 2).sum(axis=0) + (array(down.input[1]) ** 2).sum(axis=1)))
    put(up.input[1], array(up.input[1])[:, neurons])
    put(biased(up), array(biased(up))[neurons])
    put(down.input[1], array(down.input[1])[neurons])

for tensor in model.graph.initializer:
    if tensor.data_type == onnx.TensorProto.INT64:
        sizes = numpy_helper.to_array(tensor).copy()
        sizes[sizes == HEADS] = HEADS // 2
        sizes[sizes == wide] = wide // 2
        tensor.CopyFrom(numpy_helper.from_array(sizes, tensor.name))
onnx.save(model, sys.argv[2])
