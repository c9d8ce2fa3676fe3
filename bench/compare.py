#!/usr/bin/env python3
"""cotan beside PyTorch, interleaved: in every round each side measures each net once; medians are compared.

usage: compare.py [--cotan PATH] [--python PATH] [--rounds N] [--threads N] [--seconds S] [--modes eager,channels_last,compile] [NAME ...]
`--python` is an interpreter that has torch (CPU). Both sides take a whole step (forward, loss, gradient, Adam) on
eight batches in turn, and predict one sample. One side runs at a time.
"""
import argparse, json, os, statistics, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["mlp-small", "mlp", "cnn", "resnet20", "alexnet", "gpt"]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")][0]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*", metavar="NAME")
    p.add_argument("--cotan", default=os.path.join(HERE, "..", "build", "release", "cotan"))
    p.add_argument("--python", default=sys.executable)
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seconds", type=float, default=0.5)
    p.add_argument("--modes", default="eager,channels_last")
    a = p.parse_args()
    rest = ["--threads", str(a.threads), "--seconds", str(a.seconds), "--json"]
    for name in a.names or NAMES:
        sides = {"cotan": [os.path.abspath(a.cotan), "bench", name] + rest}
        for mode in a.modes.split(","):
            if mode != "channels_last" or name in ("cnn", "resnet20", "alexnet"):
                sides[mode] = [a.python, os.path.join(HERE, "torch_peer.py"), name, "--mode", mode] + rest
        results = {side: [] for side in sides}
        for _ in range(a.rounds):
            for side, command in sides.items():
                results[side].append(run(command))
        middle = lambda side, key: statistics.median(r[key] for r in results[side])
        ours, one = middle("cotan", "step_ms"), middle("cotan", "predict_one_us")
        text = f"{name:10s} {a.threads} thread{'s' if a.threads > 1 else ''}: cotan {ours:.3f} ms, one {one:.1f} us"
        for side in sides:
            if side != "cotan":
                text += f" | {side} {middle(side, 'step_ms'):.3f} ms ({middle(side, 'step_ms') / ours:.2f}x), one {middle(side, 'predict_one_us'):.1f} us ({middle(side, 'predict_one_us') / one:.1f}x)"
        print(text, flush=True)


if __name__ == "__main__":
    main()
