"""How long `read_spectra` takes: 10,000 files as APOGEE writes them, beside an earlier build.

Every file holds one star: flux, errors and mask of 7,214 pixels, as apStar has them, with a header
of 60 cards. Each build reads all of them in a process of its own, one after the other in one run,
twice, with one thread, after the files were read once to have them in the memory of the disk; the
better of the two counts. Memory is the most that the process had, less what it has after its
imports. The earlier build is any checkout.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.reading --earlier CHECKOUT --output
benchmarks/results/reading.md``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from benchmarks.machine import describe_machine

N_FILES, N_PIXELS = 10_000, 7_214
N_TEMPLATES = 50  # files of other values; the rest are copies under other names
N_RUNS = 2
CARDS = {"CRVAL1": 4.179, "CDELT1": 6e-6, "CRPIX1": 1.0, "CTYPE1": "LOG-LINEAR", "DC-FLAG": 1}
# Read by each build, which says what it took: only names that both have.
PROGRAM = """
import json, resource, sys, time, warnings
import numpy as np
import spectragan
from spectragan import read_spectra
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
folder, jobs, verbose = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
read_spectra(sorted(__import__("pathlib").Path(folder).glob("*.fits"))[:5], verbose=0)
before, start = peak(), time.process_time()
s = read_spectra(folder + "/*.fits", n_jobs=jobs, verbose=verbose)
seconds = time.process_time() - start
array = (s.flux.nbytes + s.ivar.nbytes) / 2**20
total = [float(np.sum(x, dtype=float)) for x in (s.flux, s.ivar, s.wavelength.value)]
print(json.dumps({"seconds": seconds, "memory": peak() - before, "arrays": array,
                  "total": total, "n": len(s)}))
"""


def star(rng: np.random.Generator) -> fits.HDUList:
    """Return a file of one star: an empty primary HDU with cards, flux, errors and mask."""
    primary = fits.PrimaryHDU()
    primary.header.update({"NVISITS": 1, "OBJID": "2M00000000+0000000", "SNR": 120.0})
    primary.header.update({"VHELIO": -12.5, **{f"CARD{i}": 0.1 * i for i in range(56)}})
    flux = rng.normal(1, 0.05, (1, N_PIXELS)).astype(np.float32)
    error = rng.uniform(0.01, 0.02, (1, N_PIXELS)).astype(np.float32)
    mask = (rng.random((1, N_PIXELS)) < 0.05).astype(np.int16)
    images = [fits.ImageHDU(data) for data in (flux, error, mask)]
    for image in images:
        image.header.update(CARDS)
    return fits.HDUList([primary, *images])


def write_files(folder: Path, n_files: int) -> None:
    """Write the files; the values of the stars repeat, their bytes don't move in memory."""
    rng = np.random.default_rng(0)
    templates = []
    for i in range(min(N_TEMPLATES, n_files)):
        path = folder / f"apStar-{i:05d}.fits"
        star(rng).writeto(path)
        templates.append(path.read_bytes())
    for i in range(len(templates), n_files):
        (folder / f"apStar-{i:05d}.fits").write_bytes(templates[i % len(templates)])


def run(checkout: Path, folder: Path, n_jobs: int = 1, *, bar: bool = False) -> dict:
    """Return what one build took for all files, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        PROGRAM,
        str(folder),
        str(n_jobs),
        str(int(bar)),
    ]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout) | {"bar": done.stderr.replace("\r", "\n").strip()[-120:]}


def measure(builds: dict[str, Path], folder: Path) -> dict[str, dict]:
    """Return the better of two runs of each build, which take turns."""
    runs: dict[str, list[dict]] = {name: [] for name in builds}
    for _ in range(N_RUNS):
        for name, checkout in builds.items():
            runs[name].append(run(checkout, folder))
    return {name: min(found, key=lambda r: r["seconds"]) for name, found in runs.items()}


def table(found: dict[str, dict], commit: str, n_files: int, bar: str) -> str:
    """Return the table and what was checked."""
    now, earlier = found["now"], found["earlier"]
    rows = [
        f"| {name} | {r['seconds']:.1f} | {1e3 * r['seconds'] / r['n']:.2f} "
        f"| {r['memory']:.0f} | {r['arrays']:.0f} |"
        for name, r in ((commit, earlier), ("**this build**", now))
    ]
    same = bool(np.allclose(now["total"], earlier["total"], rtol=1e-6))
    return "\n".join(
        [
            f"# Reading {n_files:,} apStar files of {N_PIXELS:,} pixels",
            "",
            f"{describe_machine('numpy', 'astropy')}, one thread. CPU seconds, better of {N_RUNS} "
            "runs that take turns; memory above what the imports took.",
            "",
            "| build | CPU s | ms a file | memory, MB | flux and ivar, MB |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"Ratio of CPU time: **{earlier['seconds'] / now['seconds']:.2f}**; of memory to the "
            f"arrays that are returned: {now['memory'] / now['arrays']:.2f} (before: "
            f"{earlier['memory'] / earlier['arrays']:.2f}). Sums of flux, ivar and wavelengths of "
            f"both builds are {'equal' if same else 'NOT EQUAL'}. The progress bar ends with "
            f"`{bar}`.",
            "",
        ]
    )


def main() -> None:
    """Write files into a temporary folder, read them with both builds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--earlier", type=Path, required=True, help="another checkout")
    parser.add_argument("--commit", default="an earlier build", help="what to call it")
    parser.add_argument("--files", type=int, default=N_FILES)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    builds = {"earlier": options.earlier.resolve(), "now": Path(__file__).resolve().parents[1]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder, options.files)
        for path in folder.glob("*.fits"):
            path.read_bytes()
        found = measure(builds, folder)
        bar = run(builds["now"], folder, bar=True)["bar"].splitlines()[-1]
    text = table(found, options.commit, options.files, bar.strip())
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
