#!/usr/bin/env python3
"""Principal components beside scikit-learn's, interleaved: in every round each side fits once, in a process of its own;
medians are compared, and variances, so that nobody is fast by being wrong. Beside the seconds stand those of the processor: the
same on a quiet machine with one thread, and what to look at on one that is not.

usage: pca.py IDX.gz|X.npy [--build DIR] [--python PATH] [--rounds N] [--threads N] [--components K] [--dtype float64]
For 60,000 x 784: train-images-idx3-ubyte.gz of Fashion-MNIST. `--python` has numpy and scikit-learn; `--build` is a
build of cotan (its libraries are used where they lie)."""
import argparse, gzip, json, os, statistics, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PEER = """import json, sys, time
import numpy as np
from sklearn.decomposition import PCA
x, solver, k = np.load(sys.argv[1]), sys.argv[2], int(sys.argv[3])
p = PCA(n_components=k, svd_solver=solver, random_state=0)
begin, cpu = time.perf_counter(), time.process_time()
p.fit(x)
print(json.dumps({"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu, "variance": list(map(float, p.explained_variance_))}))
"""
MAKE = """import gzip, sys
import numpy as np
x = np.frombuffer(gzip.open(sys.argv[1]).read(), np.uint8, offset=16).reshape(-1, 784)
np.save(sys.argv[2], x.astype(sys.argv[3]))
"""


def run(command, threads=1):
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={**os.environ, **limits})
    if done.returncode:
        sys.exit(f"{command}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout) if done.stdout else None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("--build", default=os.path.join(HERE, "..", "build", "release"))
    p.add_argument("--python", default=sys.executable)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--components", type=int, default=10)
    p.add_argument("--fast", action="store_true", help="without the full SVD")
    p.add_argument("--dtype", default="float64", choices=("float64", "float32"))
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program, x = f"{folder}/pca", a.data
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", program, f"{HERE}/pca.c", f"-I{HERE}/../include", f"-L{a.build}",
                        "-lcotan-data", "-lcotan", f"-Wl,-rpath,{os.path.abspath(a.build)}"], check=True)
        if not x.endswith(".npy"):
            x = f"{folder}/x.npy"
            run([a.python, "-c", MAKE, a.data, x, a.dtype])
        ours = lambda solver: [program, x, solver, a.components, a.threads]
        peer = lambda solver: [a.python, "-c", PEER, x, solver, a.components]
        sides = {"cotan covariance": ours("covariance"), "scikit-learn covariance_eigh": peer("covariance_eigh"),
                 "cotan randomised": ours("randomised"), "scikit-learn randomized": peer("randomized"),
                 "cotan svd": ours("svd"), "scikit-learn full": peer("full")}
        if a.fast:
            sides = {side: command for side, command in sides.items() if not side.endswith(("svd", "full"))}
        results = {side: [] for side in sides}
        for _ in range(a.rounds):
            for side, command in sides.items():
                results[side].append(run(command, a.threads))
        exact = results["scikit-learn covariance_eigh" if a.fast else "scikit-learn full"][0]["variance"]
        for side, r in results.items():
            worst = max(abs(v / w - 1) for v, w in zip(r[0]["variance"], exact))
            seconds, cpu = (statistics.median(v[what] for v in r) for what in ("seconds", "cpu"))
            print(f"{side:30s} {seconds:8.3f} s ({cpu:.3f} s of the processor), variances within {worst:.1e} of scikit-learn's exact", flush=True)


if __name__ == "__main__":
    main()
