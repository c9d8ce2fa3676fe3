#!/usr/bin/env python3
"""PyTorch on a folder of pictures, with what `cotan train image` chose for it, in the same time.

usage: torch_image_peer.py DIR --seconds N [--width 32] [--side 64] [--threads 2] [--workers 2] [--batch 64] [--lr 0.002] [--seed 0] [--mix]
The net is torchvision's resnet18 at `width` channels, written out here; pictures are resized by Pillow once and kept,
transparent ones laid on white; training pictures are cropped at random from an edge of side/16, flipped and changed by
TrivialAugment (Mueller and Hutter 2021, in its wide form) in loader processes; AdamW, one cycle over the time there is,
label smoothing 0.1, an average of the weights over a thirtieth of the steps. A tenth of the training pictures is kept for
validation; the best average by it is tested at the end. The seconds are those of the whole, reading too, and the
rates fall over what is left after it. Prints a JSON object."""
import argparse, copy, json, math, os, time, warnings
import numpy as np
import torch, torch.nn as nn, torch.nn.functional as F
from PIL import Image, ImageEnhance, ImageOps
from torch.utils.data import DataLoader, Dataset

warnings.filterwarnings("ignore")
Image.MAX_IMAGE_PIXELS = 1 << 25  # Pillow refuses twice that


def read(path, side):
    p = Image.open(path).convert("RGBA")
    white = Image.new("RGBA", p.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, p).convert("RGB").resize((side, side), Image.BILINEAR)


def read_folder(root, side):
    pictures, labels = [], []
    for label, name in enumerate(sorted(os.listdir(root))):
        for file in sorted(os.listdir(os.path.join(root, name))):
            try:
                pictures.append(read(os.path.join(root, name, file), side))
                labels.append(label)
            except (OSError, Image.DecompressionBombError, ValueError):
                pass
    return pictures, labels


def trivial_augment(p, r, fill):
    """One of fourteen changes, at a strength of 0..30 of 30."""
    level, sign = r.integers(0, 31) / 30, 1 if r.random() < 0.5 else -1

    def affine(a, b, c, d, e, f):
        return p.transform(p.size, Image.AFFINE, (a, b, c, d, e, f), Image.NEAREST, fillcolor=fill)

    return [lambda: p,
            lambda: affine(1, sign * 0.99 * level, 0, 0, 1, 0), lambda: affine(1, 0, 0, sign * 0.99 * level, 1, 0),
            lambda: affine(1, 0, sign * 32 * level, 0, 1, 0), lambda: affine(1, 0, 0, 0, 1, sign * 32 * level),
            lambda: p.rotate(sign * 135 * level, fillcolor=fill),
            lambda: ImageEnhance.Brightness(p).enhance(1 + sign * 0.99 * level), lambda: ImageEnhance.Color(p).enhance(1 + sign * 0.99 * level),
            lambda: ImageEnhance.Contrast(p).enhance(1 + sign * 0.99 * level), lambda: ImageEnhance.Sharpness(p).enhance(1 + sign * 0.99 * level),
            lambda: ImageOps.posterize(p, 8 - round(level * 6)), lambda: ImageOps.solarize(p, round(255 * (1 - level))),
            lambda: ImageOps.autocontrast(p), lambda: ImageOps.equalize(p)][r.integers(0, 14)]()


class Pictures(Dataset):
    def __init__(self, pictures, labels, mean, std, moved):
        self.pictures, self.labels, self.mean, self.std, self.moved = pictures, labels, mean, std, moved
        self.fill = tuple(int(round(255 * m)) for m in mean.tolist())

    def __len__(self):
        return len(self.pictures)

    def change(self, p):
        r = np.random.default_rng(int(torch.randint(1 << 62, ())))
        edge = p.size[0] // 16
        x = np.pad(np.asarray(p), ((edge, edge), (edge, edge), (0, 0)), mode="edge")
        top, left = r.integers(0, 2 * edge + 1, 2)
        p = Image.fromarray(x[top:top + p.size[1], left:left + p.size[0]])
        if r.random() < 0.5:
            p = p.transpose(Image.FLIP_LEFT_RIGHT)
        return trivial_augment(p, r, self.fill)

    def __getitem__(self, i):
        p = self.change(self.pictures[i]) if self.moved else self.pictures[i]
        x = torch.from_numpy(np.array(p)).permute(2, 0, 1).contiguous()
        return x.to(torch.float32).div_(255).sub_(self.mean[:, None, None]).div_(self.std[:, None, None]), self.labels[i]


class Block(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
        self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)) if stride > 1 else None

    def forward(self, x):
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(h + (x if self.downsample is None else self.downsample(x)))


def resnet18(width, classes):
    w = [width, 2 * width, 4 * width, 8 * width]
    blocks = [Block(w[0], w[0], 1), Block(w[0], w[0], 1)]
    for a, b in zip(w, w[1:]):
        blocks += [Block(a, b, 2), Block(b, b, 1)]
    net = nn.Sequential(nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *blocks,
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(w[3], classes))
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    return net


def accuracy(net, loader, form):
    net.eval()
    with torch.no_grad():
        right = sum(int((net(x.to(memory_format=form)).argmax(1) == y).sum()) for x, y in loader)
    return right / len(loader.dataset)


def one_cycle(lr, done):
    """PyTorch's OneCycleLR: up by a cosine over three tenths from lr/25, then down to lr/250,000."""
    low, last = lr / 25, lr / 25e4
    if done < 0.3:
        return low + (lr - low) * (1 - math.cos(math.pi * done / 0.3)) / 2
    return last + (lr - last) * (1 + math.cos(math.pi * min((done - 0.3) / 0.7, 1))) / 2


def mix(x, random):
    """mixup (Zhang et al. 2018) or cutmix (Yun et al. 2019), by chance: the batch, who is mixed in, the share that is left."""
    other, h, w = torch.randperm(len(x)), x.shape[2], x.shape[3]
    if random.random() < 0.5:
        share = random.beta(0.2, 0.2)
        return x * share + x[other] * (1 - share), other, share
    cut = math.sqrt(1 - random.random())
    y, z = random.integers(h), random.integers(w)
    top, bottom = max(0, y - int(h * cut) // 2), min(h, y + int(h * cut) // 2)
    left, right = max(0, z - int(w * cut) // 2), min(w, z + int(w * cut) // 2)
    x = x.clone()
    x[:, :, top:bottom, left:right] = x[other][:, :, top:bottom, left:right]
    return x, other, 1 - (bottom - top) * (right - left) / (h * w)


def follow(average, net, share):
    """The moving average goes by `share` towards the net."""
    with torch.no_grad():
        pairs = [(m, v) for m, v in zip(average.state_dict().values(), net.state_dict().values()) if m.is_floating_point()]
        torch._foreach_lerp_([m for m, v in pairs], [v for m, v in pairs], share)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir")
    for name, kind, value in (("seconds", float, 600), ("width", int, 32), ("side", int, 64), ("threads", int, 2), ("workers", int, 2), ("batch", int, 64), ("lr", float, 0.002), ("seed", int, 0)):
        p.add_argument("--" + name, type=kind, default=value)
    p.add_argument("--mix", action="store_true", help="mixup and cutmix")
    p.add_argument("--format", default="channels_last", choices=["contiguous", "channels_last"])
    a = p.parse_args()
    form = torch.channels_last if a.format == "channels_last" else torch.contiguous_format
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    random = np.random.default_rng(a.seed)
    begin = time.perf_counter()
    pictures, labels = read_folder(os.path.join(a.dir, "train"), a.side)
    reading = time.perf_counter() - begin
    stack = torch.from_numpy(np.stack([np.asarray(q) for q in pictures])).to(torch.float32) / 255
    mean, std = stack.mean((0, 1, 2)), stack.reshape(-1, 3).std(0)
    order = torch.randperm(len(pictures)).tolist()
    kept, used = order[: len(order) // 10], order[len(order) // 10:]
    part = lambda index, moved: Pictures([pictures[i] for i in index], [labels[i] for i in index], mean, std, moved)
    more = {"num_workers": a.workers, "persistent_workers": a.workers > 0}
    batches, validation = DataLoader(part(used, True), a.batch, shuffle=True, **more), DataLoader(part(kept, False), 256)
    net = resnet18(a.width, len(os.listdir(os.path.join(a.dir, "train")))).to(memory_format=form)
    average = copy.deepcopy(net)
    adam = torch.optim.AdamW(net.parameters(), a.lr, weight_decay=0.05, fused=True)
    best, epochs, steps, done = (-1, None), 0, 0, 0
    while done < 1:
        net.train()
        for x, y in batches:
            done = (time.perf_counter() - begin - reading) / (0.99 * a.seconds - reading)
            if done >= 1:
                break
            adam.param_groups[0]["lr"] = one_cycle(a.lr, done)
            adam.zero_grad(set_to_none=True)
            x, other, share = mix(x, random) if a.mix else (x, None, 1)
            z = net(x.to(memory_format=form))
            loss = share * F.cross_entropy(z, y, label_smoothing=0.1)
            if share < 1:
                loss = loss + (1 - share) * F.cross_entropy(z, y[other], label_smoothing=0.1)
            loss.backward()
            adam.step()
            steps += 1
            follow(average, net, 30 / max(30, steps / done))
        epochs += 1
        now = accuracy(average, validation, form)
        if now >= best[0]:
            best = (now, copy.deepcopy(average))
    seconds = time.perf_counter() - begin
    pictures, labels = read_folder(os.path.join(a.dir, "test"), a.side)
    test = DataLoader(Pictures(pictures, labels, mean, std, False), 256)
    print(json.dumps({"test": len(pictures), "accuracy": accuracy(best[1], test, form), "last": accuracy(average, test, form),
                      "validation": best[0], "seconds": seconds, "reading": reading, "epochs": epochs, "steps": steps}))


if __name__ == "__main__":
    main()
