"""What the scripts of this folder share: writing a small .safetensors, its tensors sorted by name."""
import json, os, struct, sys
import numpy as np

TYPES = {"float64": "F64", "float32": "F32", "int64": "I64", "int32": "I32", "uint8": "U8"}


def save(tensors, script, metadata=None):
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.splitext(os.path.abspath(script))[0] + ".safetensors"
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name in sorted(tensors):
        t = np.ascontiguousarray(tensors[name])
        raw = t.tobytes()
        header[name] = {"dtype": TYPES[str(t.dtype)], "shape": list(np.shape(tensors[name])), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    print(f"{path}: {len(tensors)} tensors, {8 + len(text) + len(data)} bytes")
