#!/usr/bin/env python3
"""The PyTorch side of the workloads: one step = forward + loss + backward + Adam update.

usage: torch_peer.py [--mode eager|channels_last|compile|bf16] [--threads N] [--seconds S] [--json] [NAME ...]
Prints one line (or JSON object) a workload: best and median milliseconds a step, items a second, and the
time to predict one sample. Needs torch (CPU); nothing is downloaded.
"""
import argparse, json, time
import torch, torch.nn as nn, torch.nn.functional as F


class CNN(nn.Module):                                   # the article's network
    def __init__(s):
        super().__init__()
        s.conv1, s.conv2 = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        s.fc1, s.fc2 = nn.Linear(64 * 8 * 8, 128), nn.Linear(128, 10)

    def forward(s, x):
        x = F.max_pool2d(F.relu(s.conv1(x)), 2)
        x = F.max_pool2d(F.relu(s.conv2(x)), 2)
        return s.fc2(F.relu(s.fc1(x.flatten(1))))


class BasicBlock(nn.Module):
    def __init__(s, i, o, stride):
        super().__init__()
        s.conv1, s.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        s.conv2, s.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        s.downsample = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if stride != 1 or i != o else None

    def forward(s, x):
        y = s.bn2(s.conv2(F.relu(s.bn1(s.conv1(x)))))
        return F.relu(y + (s.downsample(x) if s.downsample else x))


class ResNet20(nn.Module):                              # names as torchvision's ResNet
    def __init__(s):
        super().__init__()
        s.conv1, s.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        s.layer1 = nn.Sequential(*[BasicBlock(16, 16, 1) for _ in range(3)])
        s.layer2 = nn.Sequential(BasicBlock(16, 32, 2), BasicBlock(32, 32, 1), BasicBlock(32, 32, 1))
        s.layer3 = nn.Sequential(BasicBlock(32, 64, 2), BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        s.fc = nn.Linear(64, 10)

    def forward(s, x):
        x = s.layer3(s.layer2(s.layer1(F.relu(s.bn1(s.conv1(x))))))
        return s.fc(x.mean((2, 3)))


class AlexNet(nn.Module):                               # torchvision's
    def __init__(s):
        super().__init__()
        c, r, m = nn.Conv2d, nn.ReLU, nn.MaxPool2d
        s.features = nn.Sequential(c(3, 64, 11, 4, 2), r(), m(3, 2), c(64, 192, 5, padding=2), r(), m(3, 2), c(192, 384, 3, padding=1), r(),
                                   c(384, 256, 3, padding=1), r(), c(256, 256, 3, padding=1), r(), m(3, 2))
        s.classifier = nn.Sequential(nn.Dropout(), nn.Linear(9216, 4096), r(), nn.Dropout(), nn.Linear(4096, 4096), r(), nn.Linear(4096, 1000))

    def forward(s, x):
        return s.classifier(s.features(x).flatten(1))


class Recommender(nn.Module):                           # the article's network
    def __init__(s, users, items, dim=64, sparse=False):
        super().__init__()
        s.user, s.item = nn.Embedding(users, dim, sparse=sparse), nn.Embedding(items, dim, sparse=sparse)
        s.fc = nn.Linear(2 * dim, 1)

    def forward(s, u, i):
        return s.fc(torch.cat([s.user(u), s.item(i)], 1)).squeeze(1)


class RecurrentLM(nn.Module):
    def __init__(s, kind, hidden, vocab=65):
        super().__init__()
        s.emb, s.rnn, s.out = nn.Embedding(vocab, hidden), getattr(nn, kind)(hidden, hidden, batch_first=True), nn.Linear(hidden, vocab)

    def forward(s, x):
        return s.out(s.rnn(s.emb(x))[0])


class Seq2Seq(nn.Module):
    def __init__(s, vocab=8000, dim=256):
        super().__init__()
        s.src, s.tgt = nn.Embedding(vocab, dim), nn.Embedding(vocab, dim)
        s.enc, s.dec = nn.LSTM(dim, dim, batch_first=True), nn.LSTM(dim, dim, batch_first=True)
        s.mix, s.out = nn.Linear(2 * dim, dim), nn.Linear(dim, vocab)

    def forward(s, x, y):
        mem, state = s.enc(s.src(x))
        h, _ = s.dec(s.tgt(y), state)
        ctx = torch.softmax(h @ mem.transpose(1, 2), -1) @ mem
        return s.out(torch.tanh(s.mix(torch.cat([h, ctx], -1))))


class GPTBlock(nn.Module):
    def __init__(s, d, h):
        super().__init__()
        s.h, s.ln1, s.ln2 = h, nn.LayerNorm(d, bias=False), nn.LayerNorm(d, bias=False)
        s.qkv, s.proj = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        s.up, s.down = nn.Linear(d, 4 * d, bias=False), nn.Linear(4 * d, d, bias=False)

    def forward(s, x):
        B, T, C = x.shape
        q, k, v = [t.view(B, T, s.h, C // s.h).transpose(1, 2) for t in s.qkv(s.ln1(x)).split(C, 2)]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, C)
        x = x + s.proj(y)
        return x + s.down(F.gelu(s.up(s.ln2(x))))


class GPT(nn.Module):
    def __init__(s, d, layers, heads, ctx, vocab=65):
        super().__init__()
        s.wte, s.wpe = nn.Embedding(vocab, d), nn.Embedding(ctx, d)
        s.blocks, s.ln = nn.Sequential(*[GPTBlock(d, heads) for _ in range(layers)]), nn.LayerNorm(d, bias=False)
        s.head = nn.Linear(d, vocab, bias=False); s.head.weight = s.wte.weight
        for p in s.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(s, x):
        return s.head(s.ln(s.blocks(s.wte(x) + s.wpe.weight[: x.shape[1]])))


class Translator(nn.Module):
    def __init__(s, vocab=8000, d=256):
        super().__init__()
        s.src, s.tgt = nn.Embedding(vocab, d), nn.Embedding(vocab, d)
        s.core = nn.Transformer(d, 4, 3, 3, 1024, dropout=0.0, batch_first=True, norm_first=True)
        s.out = nn.Linear(d, vocab)

    def forward(s, x, y):
        mask = nn.Transformer.generate_square_subsequent_mask(y.shape[1])
        return s.out(s.core(s.src(x), s.tgt(y), tgt_mask=mask, tgt_is_causal=True))


def ce(o, y):
    return F.cross_entropy(o.reshape(-1, o.shape[-1]), y.reshape(-1))


def ints(hi, *shape):
    return torch.randint(0, hi, shape)


WORKLOADS = {  # name: (net, inputs, target, loss, items)
    "mlp-small": lambda: (nn.Sequential(nn.Linear(10, 50), nn.ReLU(), nn.Linear(50, 1)), (torch.randn(32, 10),), torch.randn(32, 1), F.mse_loss, 32),
    "mlp": lambda: (nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)), (torch.randn(128, 784),), ints(10, 128), ce, 128),
    "cnn": lambda: (CNN(), (torch.randn(64, 3, 32, 32),), ints(10, 64), ce, 64),
    "resnet20": lambda: (ResNet20(), (torch.randn(128, 3, 32, 32),), ints(10, 128), ce, 128),
    "alexnet": lambda: (AlexNet(), (torch.randn(16, 3, 224, 224),), ints(1000, 16), ce, 16),
    "rnn": lambda: (RecurrentLM("RNN", 128), (ints(65, 32, 64),), ints(65, 32, 64), ce, 32 * 64),
    "lstm": lambda: (RecurrentLM("LSTM", 256), (ints(65, 32, 64),), ints(65, 32, 64), ce, 32 * 64),
    "gru": lambda: (RecurrentLM("GRU", 256), (ints(65, 32, 64),), ints(65, 32, 64), ce, 32 * 64),
    "seq2seq": lambda: (Seq2Seq(), (ints(8000, 32, 24), ints(8000, 32, 24)), ints(8000, 32, 24), ce, 32 * 24),
    "gpt": lambda: (GPT(128, 4, 4, 64), (ints(65, 12, 64),), ints(65, 12, 64), ce, 12 * 64),
    "gpt-large": lambda: (GPT(384, 6, 6, 256), (ints(65, 8, 256),), ints(65, 8, 256), ce, 8 * 256),
    "transformer": lambda: (Translator(), (ints(8000, 32, 24), ints(8000, 32, 24)), ints(8000, 32, 24), ce, 32 * 24),
    "recommend": lambda: (Recommender(943, 1682), (ints(943, 1024), ints(1682, 1024)), torch.rand(1024) * 5, F.mse_loss, 1024),
    "recommend-large": lambda: (Recommender(1_000_000, 200_000, sparse=True), (ints(1_000_000, 4096), ints(200_000, 4096)), torch.rand(4096) * 5, F.mse_loss, 4096),
}


def optimiser(net):
    sparse = [m.weight for m in net.modules() if isinstance(m, nn.Embedding) and m.sparse]
    dense = [p for p in net.parameters() if not any(p is q for q in sparse)]
    opts = [torch.optim.Adam(dense, 1e-3, fused=True)] + ([torch.optim.SparseAdam(sparse, 1e-3)] if sparse else [])
    return opts


def measure(name, mode, seconds, batches=8):
    torch.manual_seed(0)
    net, _, _, loss, items = WORKLOADS[name]()
    data = [WORKLOADS[name]()[1:3] for _ in range(1 if "large" in name else batches)]       # different batches in turn
    if mode == "channels_last":
        last = lambda t: t.to(memory_format=torch.channels_last) if t.dim() == 4 else t
        net, data = net.to(memory_format=torch.channels_last), [(tuple(map(last, x)), y) for x, y in data]
    opts, run = optimiser(net), torch.compile(net) if mode == "compile" else net
    turn = 0

    def step():
        nonlocal turn
        x, y = data[turn % len(data)]
        turn += 1
        for o in opts:
            o.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=mode == "bf16"):
            l = loss(run(*x), y)
        l.backward()
        for o in opts:
            o.step()

    t0 = time.perf_counter(); step(); first = time.perf_counter() - t0
    for _ in range(3):
        step()
    windows = []
    for _ in range(5):
        n, t0 = 0, time.perf_counter()
        while time.perf_counter() - t0 < seconds:
            step(); n += 1
        windows.append((time.perf_counter() - t0) / n * 1e3)
    windows.sort()
    net.eval()
    one = tuple(t[:1] for t in data[0][0])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=mode == "bf16"):
        for _ in range(10):
            run(*one)
        n, t0 = 0, time.perf_counter()
        while time.perf_counter() - t0 < seconds:
            run(*one); n += 1
        predict = (time.perf_counter() - t0) / n * 1e6
    return dict(name=name, mode=mode, threads=torch.get_num_threads(), step_ms=windows[0], step_ms_median=windows[2],
                items_per_s=items / windows[0] * 1e3, first_step_s=first, predict_one_us=predict)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*", metavar="NAME"); p.add_argument("--mode", default="eager", choices=["eager", "channels_last", "compile", "bf16"])
    p.add_argument("--threads", type=int, default=1); p.add_argument("--seconds", type=float, default=0.5)
    p.add_argument("--json", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    for name in a.names or WORKLOADS:
        r = measure(name, a.mode, a.seconds)
        print(json.dumps(r) if a.json else f"{r['name']:16s} {r['mode']:8s} {r['step_ms']:10.3f} ms (median {r['step_ms_median']:.3f}) "
              f"{r['items_per_s']:12.0f} items/s   one {r['predict_one_us']:9.1f} us   first {r['first_step_s']:.2f} s", flush=True)


if __name__ == "__main__":
    main()
