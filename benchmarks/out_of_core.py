"""A million spectra, in files: trained on, translated and fitted in little memory.

``python -m benchmarks.out_of_core [--n-spectra N] [--folder DIR] [--output FILE]`` writes N
noise-free synthetic and N noisy observed spectra of 1,000 pixels into HDF5 files (12 GB for a
million, and 4 GB of results), and runs each step in a process of its own: training of a translator
on both files, translation into a third, and a fit of every observed spectrum. It notes the most
memory that the process ever had (all of it: code, libraries, file buffers), and the rate beside
that of spectra in memory, measured in the same process before and after. Linux only.
"""

import argparse
import multiprocessing
import os
import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine, peak_memory
from spectragan import CycleGANTranslator, LazySpectra, ParameterFitter, SpectrumEmulator
from spectragan.datasets import make_synthetic_spectra

N_PIXELS, CHUNK, SIGMA = 1000, 4096, 0.02
FEW = 20 * 512  # spectra in memory that the rate is compared with
DEEPER, SHIFT = 1.15, 0.01  # the gap: observed lines are deeper, on a lower continuum


def open_files(folder: Path) -> tuple[LazySpectra, LazySpectra]:
    """Return synthetic and observed spectra, none of them read."""
    import h5py

    emulator = load_emulator(folder)
    files = [h5py.File(folder / f"{name}.h5", "r") for name in ("synthetic", "observed")]
    synthetic, observed = files
    return (
        LazySpectra(
            synthetic["flux"], emulator.wavelength_, noise="exact", medium=emulator.medium_
        ),
        LazySpectra(
            observed["flux"], emulator.wavelength_, observed["ivar"], medium=emulator.medium_
        ),
    )


def load_emulator(folder: Path) -> SpectrumEmulator:
    return pickle.loads((folder / "emulator.pickle").read_bytes())


def simulate(folder: Path, n_spectra: int) -> dict[str, float]:
    """Write an emulator, and spectra chunk by chunk."""
    import h5py

    training = make_synthetic_spectra(1000, random_state=0)
    emulator = SpectrumEmulator(random_state=0, verbose=0).fit(
        training.labels, training.spectra.select_pixels(slice(1000, 1000 + N_PIXELS))
    )
    (folder / "emulator.pickle").write_bytes(pickle.dumps(emulator))
    rng = np.random.default_rng(0)
    low, high = emulator.label_range_
    truth = rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low), (n_spectra, 3))
    np.save(folder / "truth.npy", truth)
    with (
        h5py.File(folder / "synthetic.h5", "w") as synthetic,
        h5py.File(folder / "observed.h5", "w") as observed,
    ):
        shape = (n_spectra, N_PIXELS)
        models = synthetic.create_dataset("flux", shape, np.float32)
        flux = observed.create_dataset("flux", shape, np.float32)
        ivar = observed.create_dataset("ivar", shape, np.float32)
        for start in range(0, n_spectra, CHUNK):
            rows = slice(start, min(start + CHUNK, n_spectra))
            exact = emulator.predict(truth[rows]).astype(np.float32)
            noise = SIGMA * rng.standard_normal(exact.shape, np.float32)
            good = rng.random(exact.shape, np.float32) > 0.03
            models[rows] = 1 - (1 - exact + SHIFT) / DEEPER
            flux[rows], ivar[rows] = exact + noise, good * np.float32(SIGMA**-2)
    return {}


def train(folder: Path, n_spectra: int) -> dict[str, float]:
    """Train a translator on both files."""
    synthetic, observed = open_files(folder)
    before, start, cpu = peak_memory(), time.perf_counter(), time.process_time()
    translator = CycleGANTranslator(random_state=0, verbose=0).fit(synthetic, observed)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    (folder / "translator.pickle").write_bytes(pickle.dumps(translator))
    gap = raw = 0.0
    for part in synthetic[:CHUNK].blocks():
        exact = 1 - DEEPER * (1 - part.flux) + SHIFT  # what the observed spectra are, without noise
        gap += ((translator.transform(part).flux - exact) ** 2).mean()
        raw += ((part.flux - exact) ** 2).mean()
    return {"before": before, "seconds": seconds, "cpu": cpu, "left": float(np.sqrt(gap / raw))}


def translate(folder: Path, n_spectra: int) -> dict[str, float]:
    """Translate the synthetic file into a third one."""
    import h5py

    synthetic, _ = open_files(folder)
    translator = pickle.loads((folder / "translator.pickle").read_bytes())
    few = synthetic[:FEW].load()
    with h5py.File(folder / "translated.h5", "w") as file:
        out = file.create_dataset("flux", synthetic.shape, np.float32)
        result = compare_rates(
            lambda: translator.transform(few), lambda: translator.transform(synthetic, out=out)
        )
        result["identical"] = bool((out[:FEW] == translator.transform(few).flux).all())
    return result


def fit(folder: Path, n_spectra: int) -> dict[str, float]:
    """Fit the labels of the observed file."""
    _, observed = open_files(folder)
    fitter = ParameterFitter(load_emulator(folder)).fit()
    few, found = observed[:FEW].load(), []
    result = compare_rates(
        lambda: fitter.predict(few),
        lambda: found.append(fitter.predict(observed, return_std=True)),
    )
    labels, std = found[0]
    result["identical"] = bool((labels[:FEW] == fitter.predict(few)).all())
    truth = np.load(folder / "truth.npy")
    result["inside"] = float(np.mean(np.abs(labels - truth) <= std))
    return result


def compare_rates(in_memory: Callable[[], object], from_file: Callable[[], object]) -> dict:
    """Return seconds, of the wall and of the processor, for both; the first twice, around."""
    in_memory()  # what is built on first use counts for neither
    before, clocks = peak_memory(), [clock(in_memory), clock(from_file), clock(in_memory)]
    few = np.mean([clocks[0], clocks[2]], axis=0)
    return {
        "before": before,
        "seconds": clocks[1][0],
        "cpu": clocks[1][1],
        "few_seconds": float(few[0]),
        "few_cpu": float(few[1]),
    }


def clock(function: Callable[[], object]) -> tuple[float, float]:
    start, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - cpu


def run(step: Callable, folder: Path, n_spectra: int) -> dict[str, float]:
    """Run one step in a new process; return what it measured, and its peak memory."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        result = pool.apply(_with_peak, (step, folder, n_spectra))
    print(step.__name__, result, flush=True)
    return result


def _with_peak(step: Callable, folder: Path, n_spectra: int) -> dict[str, float]:
    result = step(folder, n_spectra)
    return {**result, "peak": peak_memory()}


def report(n: int, trained: dict, translated: dict, fitted: dict) -> str:
    """Return the table."""
    lines = [
        "# Spectra in files",
        "",
        f"{describe_machine('numpy', 'torch', 'h5py')}, 1 thread.",
        "",
        f"{n} synthetic and {n} observed spectra of {N_PIXELS} pixels, float32, in HDF5 files "
        f"({12 * n * N_PIXELS / 1e9:.3g} GB). Memory is the largest resident set of a "
        "process, everything included; what it was before the step is in parentheses. Rates are "
        f"spectra per second of processor time, and of the clock, beside those of {FEW} spectra "
        "in memory.",
        "",
        "| step | memory, MB | per CPU second | in memory | ratio "
        "| per second | in memory | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, result in (("translate", translated), ("fit", fitted)):
        rates = [n / result["cpu"], FEW / result["few_cpu"]]
        rates += [n / result["seconds"], FEW / result["few_seconds"]]
        cells = [f"{rates[0]:.0f}", f"{rates[1]:.0f}", f"{rates[0] / rates[1]:.2f}"]
        cells += [f"{rates[2]:.0f}", f"{rates[3]:.0f}", f"{rates[2] / rates[3]:.2f}"]
        memory = f"{result['peak']:.0f} ({result['before']:.0f})"
        lines.append(f"| {name} | {memory} | {' | '.join(cells)} |")
    same = translated["identical"] and fitted["identical"]
    lines += [
        "",
        f"Results of the first {FEW} spectra are {'' if same else 'NOT '}bit-identical to those of "
        f"spectra in memory. {fitted['inside']:.3f} of the true labels lie within 68 % intervals.",
        "",
        f"Training of `CycleGANTranslator()` on both files: {trained['peak']:.0f} MB "
        f"({trained['before']:.0f} before), {trained['seconds']:.0f} s ({trained['cpu']:.0f} CPU "
        f"seconds); {trained['left']:.2f} of the gap is left.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-spectra", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None, help="where 16 GB fit")
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        run(simulate, folder, arguments.n_spectra)
        results = [run(step, folder, arguments.n_spectra) for step in (train, translate, fit)]
    text = report(arguments.n_spectra, *results)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
