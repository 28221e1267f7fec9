"""``python -m spectragan``: see the gap of real stars closed, from nothing but an installation."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spectragan.datasets import load_miles, make_synthetic_spectra
from spectragan.diagnostics import TranslationDisplay
from spectragan.spectra import ContinuumNormalizer, Spectra
from spectragan.translator.baselines import LinearTranslator, MeanShiftTranslator
from spectragan.translator.estimator import CycleGANTranslator
from spectragan.versions import show_versions

N_TEST = 110  # stars that no translator sees
N_MODELS = 3000
BROADENING = (150.0, 0.3, 0.2)  # K, dex, dex
LABEL_RANGE = ((3500.0, 0.0, -2.5), (8000.0, 5.0, 0.5))


def read_domains() -> tuple[Spectra, Spectra, Spectra]:
    """Return models, training stars and test stars, normalised alike.

    Returns
    -------
    synthetic, observed, held_out : Spectra
        Models have labels drawn from those of the training stars, broadened.
    """
    stars, rng = load_miles(), np.random.default_rng(0)
    order = rng.permutation(len(stars.labels))
    train = order[N_TEST:]
    labels = stars.labels[train][rng.integers(len(train), size=N_MODELS)]
    labels = np.clip(labels + rng.normal(size=labels.shape) * BROADENING, *LABEL_RANGE)
    normalizer = ContinuumNormalizer(degree=8)
    observed = normalizer.fit_transform(stars.spectra)
    synthetic = normalizer.transform(make_synthetic_spectra(labels=labels).spectra)
    return synthetic, observed[train], observed[order[:N_TEST]]


def best_models(models: Spectra, stars: Spectra) -> tuple[np.ndarray, np.ndarray]:
    """Return which model is most like every star, and the rms of the residual.

    Parameters
    ----------
    models, stars : Spectra

    Returns
    -------
    rows : ndarray of int of shape (n_stars,)
    rms : ndarray of shape (n_stars,)
    """
    a, b = stars.flux.astype(float), models.flux.astype(float)
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return squares.argmin(axis=1), np.sqrt(np.maximum(squares.min(axis=1), 0) / a.shape[1])


def translators(verbose: int, *, baselines: bool) -> dict[str, Any]:
    """Return what is compared, unfitted.

    Parameters
    ----------
    verbose : int
    baselines : bool
        Whether to leave the network out.

    Returns
    -------
    translators : dict of str to translator
    """
    found: dict[str, Any] = {"mean shift": MeanShiftTranslator(), "linear": LinearTranslator()}
    if not baselines:
        found["CycleGAN"] = CycleGANTranslator(random_state=0, verbose=verbose)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the quickstart.

    Parameters
    ----------
    arguments : sequence of str, default=None
        None takes those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m spectragan", description=__doc__)
    parser.add_argument("--baselines", action="store_true", help="seconds, without the network")
    parser.add_argument("--figure", type=Path, default=Path("spectragan.png"))
    parser.add_argument("--versions", action="store_true", help="show versions, and nothing else")
    chosen = parser.parse_args(arguments)
    if chosen.versions:
        show_versions()
        return
    synthetic, observed, held_out = read_domains()
    raw = left = float(np.median(best_models(synthetic, held_out)[1]))
    print(f"{'residual of ' + str(N_TEST) + ' real stars':<28}{'rms':>8}{'of raw':>8}")
    print(f"{'no translation':<28}{raw:>8.4f}{1:>8.2f}")
    for name, translator in translators(1, baselines=chosen.baselines).items():
        translator.fit(synthetic, observed)
        rows, rms = best_models(translator.transform(synthetic), held_out)
        left = float(np.median(rms))
        print(f"{name:<28}{left:>8.4f}{left / raw:>8.2f}", flush=True)
    print(f"{1 - left / raw:.0%} of the residual is gone: models now look more like real stars.")
    typical = int(np.argsort(rms)[len(rms) // 2])
    display = TranslationDisplay.from_estimator(
        translator, synthetic[[rows[typical]]], held_out[[typical]]
    )
    display.figure_.savefig(chosen.figure, dpi=120)
    print(f"The figure is {chosen.figure}; the documentation goes on from here.")


if __name__ == "__main__":
    main()
