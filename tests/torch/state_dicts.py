#!/usr/bin/env python3
"""Writes state_dicts.json: names and shapes of PyTorch's state_dict for the nets whose files go both ways.

usage: state_dicts.py [OUT]      needs torch (CPU) and torchvision; the other classes are those of bench/torch_peer.py
"""
import json, os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench"))
from torch_peer import AlexNet, CNN, ResNet20
from torchvision.models import mobilenet_v2, resnet18

nets = {"cnn": (CNN, [3, 32, 32], 10), "resnet20": (ResNet20, [3, 32, 32], 10), "alexnet": (AlexNet, [3, 224, 224], 1000),
        "resnet18": (resnet18, [3, 224, 224], 1000), "mobile": (mobilenet_v2, [3, 224, 224], 1000)}
out = {name: {"input": shape, "classes": classes, "tensors": {k: list(t.shape) for k, t in make().state_dict().items()}} for name, (make, shape, classes) in nets.items()}
path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "state_dicts.json")
with open(path, "w") as f:
    json.dump(out, f, indent=1, sort_keys=True)
    f.write("\n")
