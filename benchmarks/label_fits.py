"""Label fits: how fast, how exact, how honest.

``python -m benchmarks.label_fits [--output FILE]`` measures `ParameterFitter` on APOGEE-like
spectra of 7,214 pixels with five labels (teff, logg, [M/H], [alpha/M], macroturbulence) and an
inverse variance for every pixel, S/N about 100, 5 % of the pixels masked:

* spectra per second beside a bounded ``scipy.optimize.curve_fit`` (TRF, finite differences, ftol =
  xtol = 5e-4, one star at a time from the middle of the range: what The Payne does) on a float64
  numpy network of 5-300-300-7214, with and without a radial velocity. Both were trained on the
  same 1,000 spectra, and each fits spectra that its own model made, so both models are exact;
* the distance, in standard deviations, to the minimum that float64
  ``scipy.optimize.least_squares`` finds from the same starts, for 1,000 simulated spectra;
* the share of 10,000 simulated spectra whose true labels lie in their 68 % intervals, when the
  emulator is exact.
"""

import argparse
import os
import time
from pathlib import Path

import astropy.units as u
import numpy as np
import torch
from scipy.optimize import curve_fit, least_squares

from benchmarks.apogee_like import (
    FIRST_WAVELENGTH,
    LOG_STEP,
    N_PIXELS,
    broaden_velocity,
    draw_line_list,
)
from benchmarks.machine import describe_machine
from spectragan import ParameterFitter, Spectra, SpectrumEmulator
from spectragan.fitting.model import LogGrid

LOW = np.array([4000.0, 1.0, -1.0, 0.0, 1.0])
HIGH = np.array([6000.0, 4.5, 0.4, 0.4, 8.0])
NAMES = ("teff", "logg", "mh", "alpham", "vmacro")
WAVELENGTH = FIRST_WAVELENGTH * np.exp(LOG_STEP * np.arange(N_PIXELS)) * u.AA
LIGHT_SPEED = 299792.458  # km/s
MAX_VELOCITY = 20.0  # km/s
N_TRAIN, N_FAST, N_SLOW, N_EXACT, N_COVER = 1000, 512, 16, 1000, 10_000
N_ROUNDS = 3


def make_training_set(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make labels and closed-form spectra."""
    rng = np.random.default_rng(seed)
    labels, lines = draw_labels(N_TRAIN, rng), draw_line_list(rng)
    return labels, broaden_velocity(lines.flux(labels[:, :4]), labels[:, 4])


class NumpyNetwork:
    """A network of 5-300-300-7214 in float64 numpy."""

    def __init__(self, labels: np.ndarray, flux: np.ndarray) -> None:
        torch.manual_seed(0)
        layers = [torch.nn.Linear(5, 300), torch.nn.LeakyReLU(), torch.nn.Linear(300, 300)]
        net = torch.nn.Sequential(*layers, torch.nn.LeakyReLU(), torch.nn.Linear(300, N_PIXELS))
        x, y = torch.as_tensor(scaled(labels)).float(), torch.as_tensor(flux)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        for _ in range(40):
            for rows in torch.randperm(len(x)).split(128):
                optimizer.zero_grad()
                (net(x[rows]) - y[rows]).square().mean().backward()
                optimizer.step()
        self.weights = [p.detach().double().numpy() for p in net.parameters()]

    def __call__(self, labels: np.ndarray) -> np.ndarray:
        """Return spectra of labels, one star or many."""
        w0, b0, w1, b1, w2, b2 = self.weights
        hidden = leaky(scaled(labels) @ w0.T + b0)
        return leaky(hidden @ w1.T + b1) @ w2.T + b2


def leaky(x: np.ndarray) -> np.ndarray:
    """Return the leaky rectifier."""
    return np.where(x > 0, x, 0.01 * x)


def scaled(labels: np.ndarray) -> np.ndarray:
    """Return labels scaled to -0.5 ... 0.5."""
    return (labels - LOW) / (HIGH - LOW) - 0.5


def draw_labels(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw labels evenly."""
    return LOW + (HIGH - LOW) * rng.random((n, 5))


def shifted(flux: np.ndarray, velocity: float) -> np.ndarray:
    """Return one spectrum at a velocity, by linear interpolation as The Payne does."""
    factor = np.sqrt((1 - velocity / LIGHT_SPEED) / (1 + velocity / LIGHT_SPEED))
    return np.interp(WAVELENGTH.value * factor, WAVELENGTH.value, flux)


def observe(flux: np.ndarray, rng: np.random.Generator) -> Spectra:
    """Add noise of a S/N of about 100 that differs from pixel to pixel, and mask pixels."""
    sigma = 0.01 * rng.uniform(0.7, 1.5, flux.shape)
    ivar = np.where(rng.random(flux.shape) < 0.05, 0.0, sigma**-2)
    return Spectra(flux + sigma * rng.standard_normal(flux.shape), WAVELENGTH, ivar=ivar)


def inside(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw labels away from the edges, where intervals are cut."""
    return LOW + (HIGH - LOW) * rng.uniform(0.1, 0.9, (n, 5))


def fit_one_by_one(
    network: NumpyNetwork, stars: Spectra, with_velocity: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and errors, star by star with bounded `curve_fit`; labels scaled."""
    extra = int(with_velocity)

    def model(_, *theta):
        flux = network(LOW + (HIGH - LOW) * (np.array(theta[:5]) + 0.5))
        return shifted(flux, theta[5] * MAX_VELOCITY) if with_velocity else flux

    found, errors = [], []
    for row in range(len(stars)):
        sigma = np.where(stars.ivar[row] > 0, stars.std[row], 1e3)
        bounds = np.array([0.5] * 5 + [1.0] * extra)
        best, covariance = curve_fit(
            model,
            [],
            stars.filled(1.0)[row],
            p0=np.zeros(5 + extra),
            sigma=sigma,
            absolute_sigma=True,
            bounds=(-bounds, bounds),
            ftol=5e-4,
            xtol=5e-4,
            method="trf",
        )
        found.append(LOW + (HIGH - LOW) * (best[:5] + 0.5))
        errors.append((HIGH - LOW) * np.sqrt(np.diagonal(covariance)[:5]))
    return np.array(found), np.array(errors)


def simulate(model, shift, n: int, rng: np.random.Generator) -> tuple:
    """Make labels and spectra of one model, moved by a velocity if there is a way to."""
    labels = inside(n, rng)
    flux = model(labels)
    if shift is not None:
        velocity = rng.uniform(-0.9, 0.9, n) * MAX_VELOCITY
        flux = np.array([shift(f, v) for f, v in zip(flux, velocity, strict=True)])
    return labels, observe(flux, rng)


def shifted_exactly(flux: np.ndarray, velocity: float) -> np.ndarray:
    """Return one spectrum at a velocity, as `ParameterFitter` models it."""
    grid, numbers = LogGrid(WAVELENGTH.value), torch.tensor([[velocity], [0.0]]).double()
    rows = grid.to_fourier(torch.as_tensor(flux)[None])
    return grid.to_pixels(grid.shift(rows, *numbers))[0].numpy()


def throughput_rows(network: NumpyNetwork, emulator: SpectrumEmulator) -> list[str]:
    """Time both in turns: the median of the rounds' ratios."""
    rng, rows = np.random.default_rng(1), []
    for name, with_velocity in (("labels", False), ("labels and velocity", True)):
        bounds = {"velocity": (-MAX_VELOCITY, MAX_VELOCITY)} if with_velocity else None
        nuisances = ("velocity",) if with_velocity else ()
        theirs, ours = (shifted, shifted_exactly) if with_velocity else (None, None)
        fitter = ParameterFitter(emulator, nuisances=nuisances, bounds=bounds).fit()
        fitter.predict(simulate(emulator.predict, ours, 20, rng)[1])
        rates, errors = [], []
        for _ in range(N_ROUNDS):
            few, slow_stars = simulate(network, theirs, N_SLOW, rng)
            many, fast_stars = simulate(emulator.predict, ours, N_FAST, rng)
            start = time.perf_counter()
            slow = fit_one_by_one(network, slow_stars, with_velocity)
            middle = time.perf_counter()
            fast = fitter.predict(fast_stars, return_std=True)
            end = time.perf_counter()
            rates.append((N_SLOW / (middle - start), N_FAST / (end - middle)))
            errors.append([typical_error(*slow, few), typical_error(*fast, many)])
        ratios = [fast / slow for slow, fast in rates]
        slow_rate, fast_rate = np.median(rates, axis=0)
        error = np.median(errors, axis=0)
        rows.append(
            f"| {name} | {slow_rate:.1f} | {fast_rate:.0f} | {np.median(ratios):.0f} "
            f"({min(ratios):.0f}-{max(ratios):.0f}) | {error[0]:.2f} | {error[1]:.2f} |"
        )
        print(rows[-1], flush=True)
    return rows


def typical_error(found: np.ndarray, errors: np.ndarray, labels: np.ndarray) -> float:
    """Return the median distance from the truth in standard deviations: 0.67 if all is well."""
    return float(np.median(np.abs(found - labels) / errors))


class Residual:
    """Residuals of one star in standard deviations, for scipy."""

    def __init__(self, emulator: SpectrumEmulator, star: Spectra) -> None:
        self.module, self.components = emulator.net_.module_, emulator.components_
        self.root, self.flux = np.sqrt(star.ivar[0]), star.filled()[0]

    def __call__(self, labels: np.ndarray) -> np.ndarray:
        """Return residuals of shape (n_pixels,)."""
        values, _ = self.module.coefficients_and_jacobian(torch.as_tensor(labels[None]))
        return self.root * (values[0].numpy() @ self.components - self.flux)

    def jacobian(self, labels: np.ndarray) -> np.ndarray:
        """Return derivatives of shape (n_pixels, n_labels)."""
        _, slopes = self.module.coefficients_and_jacobian(torch.as_tensor(labels[None]))
        return (slopes[0].numpy() @ self.components * self.root).T


def minimum_rows(emulator: SpectrumEmulator) -> list[str]:
    """Compare with least squares in float64 from the same starts."""
    rng = np.random.default_rng(2)
    stars = observe(emulator.predict(inside(N_EXACT, rng)), rng)
    fitter = ParameterFitter(emulator).fit()
    table = fitter.fit_table(stars)
    labels, errors = fitter.predict(stars, return_std=True)
    starts = blind_starts(fitter, stars)
    distance, better, worse = [], 0, 0
    for row in range(N_EXACT):
        residual = Residual(emulator, stars[row : row + 1])
        found = least_squares(
            residual,
            np.clip(starts[row], *emulator.label_range_),
            jac=residual.jacobian,
            bounds=emulator.label_range_,
            x_scale=errors[row],
            ftol=1e-13,
            xtol=1e-9,
            max_nfev=60,
        )
        distance.append(np.abs((labels[row] - found.x) / errors[row]).max())
        change = 2 * found.cost - table["chi2"][row]
        better += change > 1e-4
        worse += change < -1e-4
    distance = np.array(distance)
    converged = np.mean(table["status"] == "converged")
    row = (
        f"| {N_EXACT} | {100 * converged:.1f} % | {np.median(distance):.1e} "
        f"| {np.quantile(distance, 0.99):.1e} | {distance.max():.1e} | {better} | {worse} |"
    )
    print(row, flush=True)
    return [row]


def blind_starts(fitter: ParameterFitter, stars: Spectra) -> np.ndarray:
    """Return the best model of the grid of each star: where the fitter starts."""
    blind = fitter._machine.fitter.blind
    values = blind.reduced.values.numpy() @ blind.reduced.basis.numpy()
    flux, ivar = stars.filled(), stars.ivar
    cost = ivar @ (values**2).T - 2 * (ivar * flux) @ values.T
    return blind.reduced.grid.numpy()[cost.argmin(axis=1)]


def coverage_rows(emulator: SpectrumEmulator) -> list[str]:
    """Count true labels within their intervals."""
    rng = np.random.default_rng(3)
    fitter, hits, n_converged = ParameterFitter(emulator).fit(), [], 0
    for _ in range(N_COVER // 1000):
        truth = inside(1000, rng)
        stars = observe(emulator.predict(truth), rng)
        labels, errors = fitter.predict(stars, return_std=True)
        hits.append(np.abs(labels - truth) <= errors)
        n_converged += np.isfinite(labels).all(axis=1).sum()
    share = np.concatenate(hits).mean(axis=0)
    row = f"| {N_COVER} | {' | '.join(f'{s:.3f}' for s in share)} | {share.mean():.3f} |"
    print(row, flush=True)
    return [row]


def main() -> None:
    """Print all tables, and write them to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    output = parser.parse_args().output
    labels, flux = make_training_set(0)
    spectra = Spectra(flux, WAVELENGTH, noise="exact", medium="vacuum")
    emulator = SpectrumEmulator(random_state=0, verbose=0).fit(labels, spectra)
    network = NumpyNetwork(labels, flux)
    tables = [
        "## Spectra per second\n\n| fitted | curve_fit | ParameterFitter | ratio "
        "| error of curve_fit (σ) | of ParameterFitter (σ) |\n|---|---|---|---|---|---|",
        *throughput_rows(network, emulator),
        "\n## The same minimum as scipy's\n\n| spectra | converged | median distance (σ) | 99 % "
        "| largest | scipy's χ² higher | lower |\n|---|---|---|---|---|---|---|",
        *minimum_rows(emulator),
        "\n## 68 % intervals, exact emulator\n\n| spectra | " + " | ".join(NAMES) + " | all |"
        "\n|---|" + "---|" * 6,
        *coverage_rows(emulator),
    ]
    versions = (
        f"# Label fits\n\n{describe_machine('torch', 'scipy')}, "
        f"{os.environ.get('OMP_NUM_THREADS', 'all')} thread(s).\n"
    )
    if output is not None:
        output.write_text("\n".join([versions, *tables]) + "\n")


if __name__ == "__main__":
    main()
