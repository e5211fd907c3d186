#!/usr/bin/env python3
"""Exports a torchvision model with seeded random weights.

    python3 bench/peers/export_torchvision.py MODEL out.onnx [dynamo]

By TorchScript, or with `dynamo` by torch.export, for which onnxscript is needed too. Needs torch and torchvision; nothing is downloaded. Batch norms get the statistics of one input, so that values stay finite.
The last layers of detectors are made small, so that boxes lie near their anchors and what comes behind them costs the same
before and after pruning; the least score of a detection is 0.005, so that there are some. R-CNNs look at 100 places and keep 10.
"""
import sys
import warnings

warnings.filterwarnings("ignore")
import torch
from torchvision import models

PLACES = [models, models.detection, models.segmentation, models.video, models.optical_flow]
LAST = {"bbox_pred", "cls_logits", "cls_score", "bbox_reg", "bbox_ctrness"}
SIZES = {"inception_v3": 299, "ssd300_vgg16": 300, "r3d_18": 112, "mc3_18": 112, "r2plus1d_18": 112}


def place_of(name):
    return next(place for place in PLACES if hasattr(place, name))


def options(name, place):
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "init_weights": False}
    if place is models.segmentation:
        return {"weights_backbone": None} if "lraspp" in name else {"weights_backbone": None, "aux_loss": None}
    if place is not models.detection:
        return {}
    least = "box_score_thresh" if "rcnn" in name else "score_thresh"
    if name.startswith("ssd"):
        return {"weights_backbone": None, least: 0.005}
    layers = 6 if "mobilenet" in name else 5
    few = {"rpn_post_nms_top_n_test": 100, "box_detections_per_img": 10} if "rcnn" in name else {}
    sizes = {"min_size": 320, "max_size": 320, **few}
    return {"weights_backbone": None, "trainable_backbone_layers": layers, least: 0.005, **sizes}


def build(name):
    """The model and the arguments that it is traced with."""
    torch.manual_seed(0)
    place = place_of(name)
    model = getattr(place, name)(weights=None, **options(name, place)).eval()
    if place is models.detection:
        size = SIZES.get(name, 320)
        return model, ([torch.rand(3, size, size)],)
    if place is models.optical_flow:
        return model, (torch.rand(1, 3, 128, 128) * 2 - 1, torch.rand(1, 3, 128, 128) * 2 - 1)
    size = SIZES.get(name, 224)
    video = place is models.video
    return model, (torch.randn(1, 3, 16, size, size) if video else torch.randn(1, 3, size, size),)


def settle(model, example):
    """Batch norms take the statistics of an input; those of a single value keep what they have."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    before = [({k: v.clone() for k, v in m.state_dict().items()}, m.momentum) for m in norms]
    twice = [torch.cat([e, 0.7 * e.flip(-1)]) for e in example] if len(example) == 1 and torch.is_tensor(example[0]) else example
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    try:
        with torch.no_grad():
            model(*twice)
    except ValueError:
        for norm, (state, _) in zip(norms, before):
            norm.load_state_dict(state)
    for norm, (_, momentum) in zip(norms, before):
        norm.momentum = momentum
        norm.eval()


def main():
    name, path, *how = sys.argv[1:]
    model, example = build(name)
    settle(model, example)
    if place_of(name) is models.detection:
        for path_of, module in model.named_modules():
            if path_of.split(".")[-1] in LAST and hasattr(module, "weight"):
                module.weight.data.mul_(1e-3)
    if how == ["dynamo"]:
        with torch.no_grad():
            torch.onnx.export(model, example, path, dynamo=True, external_data=False, verbose=False)
        return
    # The exporter has no form for the fused attention kernel, which is not taken in training.
    attentions = [m for m in model.modules() if isinstance(m, torch.nn.MultiheadAttention) and m.dropout == 0]
    for attention in attentions:
        attention.training = True
    mode = torch.onnx.TrainingMode
    training = mode.PRESERVE if attentions else mode.EVAL
    with torch.no_grad():
        for opset in (17, 16, 13):
            try:
                torch.onnx.export(model, example, path, opset_version=opset, training=training)
                return
            except torch.onnx.errors.UnsupportedOperatorError:
                continue
    sys.exit(f"{name} does not export")


main()
