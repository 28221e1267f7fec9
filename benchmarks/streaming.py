"""100,000 spectra through `ParameterFitter.predict`, from a memory map: memory stays bounded.

``python -m benchmarks.streaming [--output FILE]`` writes flux and inverse variances of
100,000 simulated spectra of 1,000 pixels (0.8 GB) to a temporary folder, maps them, fits them, and
samples the anonymous memory of the process (what isn't the mapped file) meanwhile. Linux only.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from spectragan import ParameterFitter, Spectra, SpectrumEmulator
from spectragan.datasets import make_synthetic_spectra

N_SPECTRA, N_PIXELS, CHUNK, SIGMA = 100_000, 1000, 1000, 0.02


def anonymous_memory() -> float:
    """Return the process's own memory in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


class Sampler(threading.Thread):
    """Remembers the most memory that was seen."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.done = 0.0, threading.Event()

    def run(self) -> None:
        """Look every twentieth of a second."""
        while not self.done.wait(0.05):
            self.peak = max(self.peak, anonymous_memory())


def simulate(emulator: SpectrumEmulator, folder: Path) -> tuple[Spectra, np.ndarray]:
    """Write spectra chunk by chunk; return them as maps, and their labels."""
    rng = np.random.default_rng(0)
    low, high = emulator.label_range_
    truth = rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low), (N_SPECTRA, 3))
    shape = (N_SPECTRA, N_PIXELS)
    flux, ivar = (
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, shape)
        for name in ("flux", "ivar")
    )
    for start in range(0, N_SPECTRA, CHUNK):
        rows = slice(start, start + CHUNK)
        noise = SIGMA * rng.standard_normal((CHUNK, N_PIXELS))
        flux[rows] = emulator.predict(truth[rows]) + noise
        ivar[rows] = SIGMA**-2 * (rng.random((CHUNK, N_PIXELS)) > 0.03)
    flux.flush()
    ivar.flush()
    maps = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("flux", "ivar"))
    flux, ivar = maps
    return Spectra(flux, emulator.wavelength_, ivar=ivar), truth


def main() -> None:
    """Print one line, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    output = parser.parse_args().output
    training = make_synthetic_spectra(1000, random_state=0)
    emulator = SpectrumEmulator(random_state=0, verbose=0).fit(
        training.labels, training.spectra.select_pixels(slice(1000, 1000 + N_PIXELS))
    )
    fitter = ParameterFitter(emulator).fit()
    with tempfile.TemporaryDirectory() as folder:
        stars, truth = simulate(emulator, Path(folder))
        fitter.predict(stars[:CHUNK])
        before, sampler, start = anonymous_memory(), Sampler(), time.perf_counter()
        sampler.start()
        labels, std = fitter.predict(stars, return_std=True)
        seconds = time.perf_counter() - start
        sampler.done.set()
        inside = np.mean(np.abs(labels - truth) <= std)
        text = (
            f"{N_SPECTRA} spectra of {N_PIXELS} pixels ({2 * stars.flux.nbytes / 1e6:.0f} MB on "
            f"disk): memory {before:.0f} MB before, {sampler.peak:.0f} MB at most during the fit; "
            f"{N_SPECTRA / seconds:.0f} per second; {inside:.3f} of the true labels within 68 % "
            f"intervals, {np.isnan(labels).any(axis=1).sum()} not fitted."
        )
    print(text)
    if output is not None:
        where = describe_machine("numpy", "torch")
        output.write_text(f"# Many spectra, little memory\n\n{where}.\n\n{text}\n")


if __name__ == "__main__":
    main()
