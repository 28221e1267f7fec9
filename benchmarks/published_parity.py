"""The published method, beside the published code, on the same spectra.

``OMP_NUM_THREADS=1 python -m benchmarks.published_parity [--pixels N] [--width W] [--epochs N]``
trains ``CycleGANTranslator.published`` on the last pixels of ``make_apogee_like_pair`` and tells
after some thousands of steps the rms of translated spectra against the exact, noise-free
counterparts. Spectra have 2,047 pixels, or 7,167 as published: the strides of both networks
reproduce these lengths, so that neither code pads or cuts them. A step takes 0.3 s, or 0.85 s, on
one core, and 0.08 s with a quarter of the channels.

The published code (https://github.com/teaghan/Cycle_SN, GPL) is no part of this project, and its
side was run by hand: its network and its training iteration, as they stand, with the settings of
``configs/kurucz_to_apogee_1.ini`` (but for ``num_pixels`` and, where said, the numbers of
channels), on batches of the spectra that `make_pair` returns. What it needs of them: flux minus
centre, over scale (`normalisation`), masked pixels filled with the mean observed spectrum; errors
of at least 0.005, over scale; a mask that is 1 where ivar > 0. Batches are drawn from shuffled
rows of each domain. An emulator, which it loads but doesn't train, may have any weights.
Translations are averaged over split latents of `N_CODES` observed stars, as `transform` does.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from sklearn.utils import Bunch

from benchmarks.apogee_like import make_apogee_like_pair
from spectragan import CycleGANTranslator, LinearTranslator, MeanShiftTranslator, Spectra
from spectragan.exceptions import SpectraganWarning

N_SPECTRA, N_MEASURED, N_CODES = 2000, 100, 32
STEPS_PER_EPOCH = 1000


def make_pair(n_pixels: int) -> Bunch:
    """Return the last pixels of the pair."""
    pair = make_apogee_like_pair(N_SPECTRA, N_SPECTRA, random_state=0)
    for name in ("synthetic", "observed", "synthetic_of_observed", "observed_truth"):
        whole = pair[name]
        ivar = whole.ivar[:, -n_pixels:] if name == "observed" else None
        noise = None if name == "observed" else "exact"
        flux = np.ascontiguousarray(whole.flux[:, -n_pixels:])
        pair[name] = Spectra(
            flux, whole.wavelength[-n_pixels:], ivar=ivar, noise=noise, medium="vacuum"
        )
    return pair


def normalisation(pair: Bunch) -> tuple[float, float]:
    """Return mean and scatter of all synthetic fluxes."""
    flux = pair.synthetic.flux
    return float(flux.mean(dtype=float)), float(flux.std(dtype=float))


def rms_to_truth(translated: np.ndarray, pair: Bunch) -> float:
    """Return the rms of the first translated spectra against their noise-free counterparts."""
    off = translated[:N_MEASURED] - pair.observed_truth.flux[:N_MEASURED]
    return float(np.sqrt(np.mean(off**2, dtype=float)))


def tell(what: str, steps: int, translated: np.ndarray, pair: Bunch, seconds: float) -> None:
    """Print one row of the table."""
    rms, gap = rms_to_truth(translated, pair), rms_to_truth(pair.synthetic_of_observed.flux, pair)
    print(f"| {what} | {steps or ''} | {rms:.5f} | {rms / gap:.3f} | {seconds:.0f} |", flush=True)


def main() -> None:
    """Train, and print the rows of our side."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches")
    parser.add_argument("--pixels", type=int, default=2047, help="2047 or 7167")
    parser.add_argument("--width", type=float, default=1.0, help="factor on published channels")
    parser.add_argument(
        "--epochs", type=int, nargs="+", default=(1, 3, 6), help="of 1,000 steps, to measure after"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", SpectraganWarning)
    pair = make_pair(arguments.pixels)
    raw, stars = pair.synthetic_of_observed[:N_MEASURED], pair.observed[:N_MEASURED]
    tell("no translation", 0, raw.flux, pair, 0.0)
    for baseline in (MeanShiftTranslator(), LinearTranslator()):
        fitted = baseline.fit(pair.synthetic, pair.observed)
        tell(type(baseline).__name__, 0, fitted.transform(raw).flux, pair, 0.0)
    translator = CycleGANTranslator.published(
        width=arguments.width,
        steps_per_epoch=STEPS_PER_EPOCH,
        n_codes=N_CODES,
        warm_start=True,
        random_state=arguments.seed,
        device="cpu",
        verbose=0,
    )
    seconds, done = 0.0, 0
    for epochs in arguments.epochs:
        translator.set_params(max_epochs=epochs - done)
        start = time.process_time()
        translator.fit(pair.synthetic, pair.observed)
        seconds, done = seconds + time.process_time() - start, epochs
        shared, split = translator.encode(raw, 0).shared, translator.encode(stars, 1).split
        for what, translated in (
            ("ours", translator.transform(raw).flux),
            ("ours, partner's split latents", translator.decode(shared, split)),
        ):
            steps = done * STEPS_PER_EPOCH
            tell(f"{what}, seed {arguments.seed}", steps, translated, pair, seconds)
    print({name: [round(v, 3) for v in values] for name, values in translator.history_.items()})


if __name__ == "__main__":
    main()
