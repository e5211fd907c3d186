#!/usr/bin/env python3
"""onnxsim 0.8.1's structured pruning on one model, and whether what it wrote equals the original with zeros.

    python3 bench/peers/onnxsim_prune.py in.onnx out.onnx

Needs onnxsim, onnx and onnxruntime. Channels by `apply_structured_pruning`, heads by `apply_attention_head_pruning`, both at 0.5.
Prints a line of JSON. The check reads off, from every weight that became narrower where it is read, which of its inputs are left,
and puts zeros in the place of the others in the original: both must give the same.
"""
import json
import sys
import time

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxsim import pruning


def weights(model):
    found = {t.name: t for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    return found


def count(model):
    return sum(int(np.prod(t.dims)) for t in weights(model).values() if t.data_type in (1, 10, 11))


def reading_axis(node):
    """The axis of the weight that is summed over, where one operand alone is a weight."""
    if node.op_type in ("Conv", "FusedConv"):
        group = next((a.i for a in node.attribute if a.name == "group"), 1)
        return 1 if group == 1 else None
    if node.op_type == "Gemm":
        return 1 if any(a.name == "transB" and a.i for a in node.attribute) else 0
    return 0 if node.op_type == "MatMul" else None


def subsequence(small, large):
    """Places of `small`'s rows in `large`, in order; None where they are not all there."""
    places, at = [], 0
    for row in small:
        while at < len(large) and not np.array_equal(large[at], row):
            at += 1
        if at == len(large):
            return None
        places.append(at)
        at += 1
    return places


def left(before, after, axis):
    """Which inputs of a weight are left: those of its first output, looked for in every output of the original."""
    one = np.moveaxis(after, axis, 0).reshape(after.shape[axis], -1 if axis == 0 else after.shape[1 - axis], -1)[:, 0]
    old = np.moveaxis(before, axis, 0).reshape(before.shape[axis], before.shape[1 - axis], -1)
    for output in range(old.shape[1]):
        places = subsequence(one, old[:, output])
        if places is not None:
            twins = len(np.unique(old[:, output], axis=0)) < len(old)
            return None if twins else places
    return None


def masked(model, pruned):
    """The original with zeros at the inputs that are gone; None where one cannot be told."""
    reference = onnx.ModelProto()
    reference.CopyFrom(model)
    old, new = weights(reference), weights(pruned)
    readers = {node.output[0]: node for node in pruned.graph.node}
    for node in reference.graph.node:
        axis = reading_axis(node)
        other = readers.get(node.output[0])
        if other is None or len(node.input) < 2 or node.input[1] not in old or other.input[1] not in new:
            continue
        if axis is None:
            if node.op_type in ("Conv", "FusedConv") and 1 != old[node.input[1]].dims[1] != new[other.input[1]].dims[1]:
                return None  # groups: which inputs are left cannot be read off one output
            continue
        before = numpy_helper.to_array(old[node.input[1]])
        after = numpy_helper.to_array(new[other.input[1]])
        if before.ndim != after.ndim or before.ndim < 2 or before.shape[axis] == after.shape[axis]:
            continue
        places = left(before, after, axis)
        if places is None:
            return None
        keep = np.zeros(before.shape[axis], before.dtype)
        keep[places] = 1
        shape = [-1 if at == axis else 1 for at in range(before.ndim)]
        old[node.input[1]].CopyFrom(numpy_helper.from_array(before * keep.reshape(shape), node.input[1]))
    return reference


def run(model, draw):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    feeds = {}
    for info in session.get_inputs():
        dims = [d if isinstance(d, int) else 2 if at == 0 else 8 for at, d in enumerate(info.shape)]
        floats = info.type in ("tensor(float)", "tensor(double)", "tensor(float16)")
        kind = {"tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(int32)": np.int32, "tensor(int64)": np.int64}
        values = draw.standard_normal(dims) if floats else np.ones(dims)
        feeds[info.name] = values.astype(kind.get(info.type, np.float32))
    return session.run(None, feeds)


def compare(model, pruned):
    reference = masked(model, pruned)
    found = run(pruned, np.random.default_rng(0))
    if reference is None:
        return None
    expected = run(reference, np.random.default_rng(0))
    pairs = [(a, b) for a, b in zip(expected, found) if a.dtype.kind == "f" and a.size]
    if any(a.shape != b.shape for a, b in pairs):
        return None
    return max((float(np.abs(a - b).max() / (np.abs(a).max() or 1)) for a, b in pairs), default=0.0)


def main():
    source, target = sys.argv[1:3]
    model = onnx.load(source)
    start = time.process_time()
    try:
        pruned = pruning.apply_structured_pruning(model, 0.5)
        pruned = pruning.apply_attention_head_pruning(pruned, 0.5)
    except Exception as problem:
        print(json.dumps({"failed": f"{type(problem).__name__}: {problem}"[:160]}))
        return
    told = {"seconds": time.process_time() - start, "params": [count(model), count(pruned)]}
    onnx.save(pruned, target)
    try:
        told["error"] = compare(model, pruned)
    except Exception as problem:
        told["unchecked"] = f"{type(problem).__name__}: {problem}".split("\n")[0][:160]
    print(json.dumps(told))


main()
