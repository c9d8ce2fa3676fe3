#!/usr/bin/env python3
"""Principal components of dslabs' tissue_gene_expression (189 samples of 500 genes, 7 tissues), as a course knows them:
.3362 .1378 .1030 .0604 .0503 of the variance. Reads the table from Debian's r-cran-dslabs with the `rdata` package,
writes it as CSV and gives it to cotan pca; scikit-learn, where it is at hand, has to agree.

    apt-get download r-cran-dslabs && dpkg -x r-cran-dslabs*.deb DIR
    tissue.py COTAN DIR [FOLDER for the CSV, the model and the report]"""
import csv, json, subprocess, sys, tempfile, zlib, bz2, lzma
import rdata

WANTED = [.3362, .1378, .1030, .0604, .0503]
parse, convert = rdata.parser.parse_data, rdata.conversion.convert


def unpack(b):
    """4 bytes of length, then zlib, '2' and bzip2, or 'Z' and raw LZMA."""
    if b[4:5] == b"2":
        return bz2.decompress(b[5:])
    if b[4:5] == b"Z":
        return lzma.decompress(b[5:], lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])
    return zlib.decompress(b[4:])


def load(base, name):
    with open(base + ".rdx", "rb") as f:
        begin, length = map(int, convert(parse(f.read()))["variables"][name])
    with open(base + ".rdb", "rb") as f:
        f.seek(begin)
        return convert(parse(unpack(f.read(length))))


def main():
    cotan, folder = sys.argv[1:3]
    out = sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp()
    data = load(folder + "/usr/lib/R/site-library/dslabs/data/Rdata", "tissue_gene_expression")
    x, y = data["x"], list(map(str, data["y"]))
    genes = [str(g) for g in (x.coords[x.dims[1]].values if hasattr(x, "coords") else range(x.shape[1]))]
    values = x.values if hasattr(x, "values") else x
    with open(f"{out}/tissue.csv", "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow([*genes, "tissue"])
        w.writerows([*map(repr, map(float, row)), t] for row, t in zip(values, y))
    r = subprocess.run([cotan, "pca", f"{out}/tissue.csv", "--target", "tissue", "--json", "--force", "-o", f"{out}/tissue.safetensors"],
                       capture_output=True, text=True, check=True)
    v = json.loads(r.stdout)
    share = v["explained_variance_ratio"]
    print(v["records"], "samples of", v["features"], "genes; shares", " ".join(f"{s:.4f}" for s in share[:5]), "; report", v["report"])
    assert (v["records"], v["features"]) == (189, 500)
    assert [round(s, 4) for s in share[:5]] == WANTED
    try:
        from sklearn.decomposition import PCA
    except ImportError:
        return
    peer = PCA().fit(values).explained_variance_ratio_
    some = peer > 1e-20  # the rest, of samples that stand twice, is rounding
    worst = max(abs(a - b) / b for a, b, kept in zip(share, peer, some) if kept)
    print(f"farthest from scikit-learn's {some.sum()}: {worst:.1e} relative")
    assert worst < 1e-12


main()
