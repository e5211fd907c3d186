#!/usr/bin/env python3
"""Torch-Pruning's build and step on a torchvision model with random weights, 50 %, and the export of what it leaves, in seconds of
processor time; loading is that of the whole model from a file.

    python3 bench/peers/prune_torch.py MODEL

Needs torch, torchvision and torch-pruning 1.6.1 (its TorchScript-era API). Groups are ranked by their L2 norm, widths
rounded to 8, classifiers kept, as in its own example for torchvision.
"""
import io
import json
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
import torch
import torchvision
import torch_pruning


def outputs(model):
    """Layers whose width is the result's."""
    kept = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 1000]
    heads = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d) and m.out_channels in (21, 1000)]
    return kept + heads


def main():
    name = sys.argv[1]
    find = [torchvision.models, torchvision.models.segmentation]
    make = next(getattr(place, name) for place in find if hasattr(place, name))
    options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if hasattr(torchvision.models.segmentation, name):
        options = {"weights_backbone": None}
    torch.manual_seed(0)
    model = make(weights=None, **options).eval()
    size = 299 if name == "inception_v3" else 224
    example = torch.randn(1, 3, size, size)
    before = sum(p.numel() for p in model.parameters())
    heads = {m: m.num_heads for m in model.modules() if isinstance(m, torch.nn.MultiheadAttention)}
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model, f"{folder}/model.pt")
        start = time.process_time()
        torch.load(f"{folder}/model.pt")
        loading = time.process_time() - start
    start = time.process_time()
    try:
        pruner = torch_pruning.pruner.MagnitudePruner(
            model,
            example,
            importance=torch_pruning.importance.MagnitudeImportance(p=2),
            pruning_ratio=0.5,
            round_to=8,
            ignored_layers=outputs(model),
            num_heads=heads,
        )
        pruner.step()
        seconds = time.process_time() - start
        after = sum(p.numel() for p in model.parameters())
        start = time.process_time()
        torch.onnx.export(model, example, io.BytesIO(), opset_version=17)
        exporting = time.process_time() - start
        print(json.dumps({"load": loading, "seconds": seconds, "export": exporting, "params": [before, after]}))
    except Exception as problem:  # its own mistakes are a result
        print(json.dumps({"failed": f"{type(problem).__name__}: {problem}"[:200]}))


main()
