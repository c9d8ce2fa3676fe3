#!/usr/bin/env python3
"""Writes state_dicts.json: names and shapes of PyTorch's state_dict for the nets whose files go both ways.

usage: state_dicts.py [OUT]      needs torch (CPU); classes are those of bench/torch_peer.py, and torchvision's: without it, its nets
stay as they are committed
"""
import json, os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench"))
from torch_peer import AlexNet, CNN, ResNet20

path = os.path.join(HERE, "state_dicts.json")
nets = {"cnn": (CNN, [3, 32, 32], 10), "resnet20": (ResNet20, [3, 32, 32], 10), "alexnet": (AlexNet, [3, 224, 224], 1000)}
out = {}
try:
    from torchvision.models import mobilenet_v2, resnet18
    nets.update(resnet18=(resnet18, [3, 224, 224], 1000), mobile=(mobilenet_v2, [3, 224, 224], 1000))
except (ImportError, RuntimeError): # missing, or of another torch
    print("skipped: torchvision is not at hand: its nets are compared as they are committed")
    with open(path) as f:
        out = {name: net for name, net in json.load(f).items() if name not in nets}
for name, (make, shape, classes) in nets.items():
    out[name] = {"input": shape, "classes": classes, "tensors": {k: list(t.shape) for k, t in make().state_dict().items()}}
with open(sys.argv[1] if len(sys.argv) > 1 else path, "w") as f:
    json.dump(out, f, indent=1, sort_keys=True)
    f.write("\n")
