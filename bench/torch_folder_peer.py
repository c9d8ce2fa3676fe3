#!/usr/bin/env python3
"""The PyTorch side of folder.py, and the folder itself.

usage: torch_folder_peer.py make DIR [--pictures N]
       torch_folder_peer.py train DIR [--epochs N] [--workers N] [--threads N] [--format contiguous|channels_last] [--limit N]
`train` is what one writes by hand: a Dataset that opens with Pillow, a DataLoader with persistent workers, Adam;
it prints a JSON object with the seconds from its start (after the imports) to the end of each epoch.
"""
import argparse, io, json, os, sys, time
import numpy as np
from PIL import Image

CLASSES, SIDE = 10, 256


def picture(r, label):
    """Noise of four scales with falling strength, and a grating whose angle is the class's: about 30 kB as a JPEG."""
    x = np.full((SIDE, SIDE, 3), 128.0, np.float32)
    for side, strength in ((4, 50), (16, 25), (64, 14), (256, 5)):
        noise = Image.fromarray(r.integers(0, 256, (side, side, 3), np.uint8)).resize((SIDE, SIDE), Image.BICUBIC)
        x += (np.asarray(noise, np.float32) - 128) * (strength / 74)
    at = np.arange(SIDE, dtype=np.float32)
    angle = np.pi * label / CLASSES
    x += 30 * np.sin((at[:, None] * np.sin(angle) + at[None, :] * np.cos(angle)) / 6 + r.uniform(0, 6))[:, :, None]
    return Image.fromarray(np.clip(x, 0, 255).astype(np.uint8))


def make(a):
    done = os.path.join(a.dir, "made")
    if os.path.exists(done):
        return
    for part, count in (("train", a.pictures), ("validation", max(a.pictures // 100, 20)), ("test", max(a.pictures // 100, 20))):
        r = np.random.default_rng([len(part), 1])
        for i in range(count):
            folder = os.path.join(a.dir, part, f"class{i % CLASSES}")
            os.makedirs(folder, exist_ok=True)
            data = io.BytesIO()
            picture(r, i % CLASSES).save(data, "JPEG", quality=90)
            with open(os.path.join(folder, f"{i:06d}.jpg"), "wb") as f:
                f.write(data.getvalue())
    open(done + ".part", "w").close()
    os.rename(done + ".part", done)


def train(a):
    import torch, torch.nn as nn, torch.nn.functional as F
    from torch.utils.data import DataLoader, Dataset

    class Folder(Dataset):
        def __init__(s, root, flip, limit=None):
            s.flip, names = flip, sorted(os.listdir(root))
            s.items = [(os.path.join(root, c, f), i) for i, c in enumerate(names) for f in sorted(os.listdir(os.path.join(root, c)))]
            s.items = s.items[:: max(1, len(s.items) // limit)][:limit] if limit else s.items
            s.mean, s.std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)

        def __len__(s):
            return len(s.items)

        def __getitem__(s, i):
            path, label = s.items[i]
            with open(path, "rb") as f:
                p = Image.open(f).convert("RGB").resize((64, 64), Image.BILINEAR)
            if s.flip and torch.rand(1) < 0.5:
                p = p.transpose(Image.FLIP_LEFT_RIGHT)
            x = torch.from_numpy(np.array(p)).permute(2, 0, 1).contiguous()
            return x.to(torch.float32).div_(255).sub_(s.mean).div_(s.std), label

    class CNN(nn.Module):
        def __init__(s):
            super().__init__()
            s.conv1, s.conv2 = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
            s.fc1, s.fc2 = nn.Linear(64 * 16 * 16, 128), nn.Linear(128, CLASSES)

        def forward(s, x):
            x = F.max_pool2d(F.relu(s.conv1(x)), 2)
            x = F.max_pool2d(F.relu(s.conv2(x)), 2)
            return s.fc2(F.relu(s.fc1(x.flatten(1))))

    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    begin, form = time.perf_counter(), torch.channels_last if a.format == "channels_last" else torch.contiguous_format
    more = {"num_workers": a.workers, "persistent_workers": a.workers > 0}
    batches = DataLoader(Folder(os.path.join(a.dir, "train"), True, a.limit), batch_size=64, shuffle=True, **more)
    validation = DataLoader(Folder(os.path.join(a.dir, "validation"), False), batch_size=256)
    net = CNN().to(memory_format=form)
    adam = torch.optim.Adam(net.parameters(), 1e-3, fused=True)
    ends, losses, accuracy = [], [], 0
    for _ in range(a.epochs):
        total = torch.zeros(())
        net.train()
        for x, y in batches:
            adam.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(x.to(memory_format=form)), y)
            loss.backward()
            adam.step()
            total += loss.detach() * len(y)
        losses.append(float(total) / len(batches.dataset))
        net.eval()
        with torch.no_grad():
            right = sum(int((net(x.to(memory_format=form)).argmax(1) == y).sum()) for x, y in validation)
        accuracy = right / len(validation.dataset)
        ends.append(time.perf_counter() - begin)
    print(json.dumps({"ends": ends, "loss": losses, "accuracy": accuracy}))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("action", choices=["make", "train"])
    p.add_argument("dir")
    p.add_argument("--pictures", type=int, default=20000)
    p.add_argument("--epochs", type=int, default=3)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--format", default="contiguous", choices=["contiguous", "channels_last"])
    p.add_argument("--limit", type=int)
    a = p.parse_args()
    if a.action == "make":
        make(a)
        print(json.dumps({"dir": a.dir}))
    else:
        train(a)


if __name__ == "__main__":
    main()
