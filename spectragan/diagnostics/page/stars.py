"""What is known of each star on a page, as plain data for its script."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np

from spectragan.diagnostics.page.sample import ReportSample, squared_distances
from spectragan.spectra import Spectra

LEVELS = 65_534  # of flux in two bytes; the next number stands for a masked pixel
MASKED = 65_535
MOST_COLUMNS = 5  # of metadata in the table, beside the name
LONGEST_WORD = 40  # characters of a name or value


def star_data(sample: ReportSample, strange: Any) -> dict[str, Any]:
    """Return all stars of a sample: their numbers, words and spectra.

    Parameters
    ----------
    sample : ReportSample
    strange : OutOfDistribution or None
        Of all translated spectra of the report.

    Returns
    -------
    data : dict
        Ready for JSON. ``stars`` has the synthetic ones first.
    """
    distances = squared_distances(sample.spectra["translated"], sample.spectra["observed"])
    partners = {"synthetic": distances.argmin(axis=1), "observed": distances.argmin(axis=0)}
    columns = meta_columns(sample)
    stars = [
        star
        for domain in partners
        for star in _stars(sample, domain, partners[domain], strange, columns[domain])
    ]
    names = {name: None for domain in columns.values() for name in domain if name != "name"}
    return {
        "stars": stars,
        "columns": list(names)[:MOST_COLUMNS],
        "n_synthetic": len(partners["synthetic"]),
        "flux": {name: packed(spectra) for name, spectra in sample.spectra.items()},
    }


def _stars(
    sample: ReportSample, domain: str, partners: np.ndarray, strange: Any, columns: Mapping
) -> list[dict[str, Any]]:
    """Return one entry for each star of a domain, with what is left to its nearest partner."""
    synthetic, translated, observed = (
        sample.spectra[name] for name in ("synthetic", "translated", "observed")
    )
    pairs = (
        (np.arange(len(partners)), partners)
        if domain == "synthetic"
        else (partners, np.arange(len(partners)))
    )
    before, after = (
        rms_difference(part[pairs[0]], observed[pairs[1]]) for part in (synthetic, translated)
    )
    masked = (sample.spectra[domain].ivar == 0).mean(axis=1)
    offset = len(synthetic) if domain == "synthetic" else 0  # the partner is of the other domain
    rows = sample.rows[domain]
    entries = []
    for i, row in enumerate(rows):
        words = {name: values[i] for name, values in columns.items()}
        judged = domain == "synthetic" and strange is not None
        p_value = plain(strange.p_value[row]) if judged else None
        entries.append(
            {
                "domain": domain,
                "row": int(row),
                "name": words.pop("name", "") or f"{domain} {row}",
                "partner": int(partners[i]) + offset,
                "before": plain(before[i]),
                "after": plain(after[i]),
                "masked": plain(masked[i]),
                "p": p_value,
                "strange": bool(strange.is_out[row]) if p_value is not None else None,
                "meta": words,
            }
        )
    return entries


def rms_difference(a: Spectra, b: Spectra) -> np.ndarray:
    """Return the rms difference over the pixels that are good in both, NaN without one."""
    good = (a.ivar > 0) & (b.ivar > 0)
    squares = np.where(good, a.flux - b.flux, 0.0).astype(float) ** 2
    number = good.sum(axis=1)
    mean = np.divide(
        squares.sum(axis=1), number, out=np.full(len(number), np.nan), where=number > 0
    )
    return np.sqrt(mean)


def meta_columns(sample: ReportSample) -> dict[str, dict[str, list[str]]]:
    """Return the metadata of both domains as words: one value a star, ``name`` first.

    Parameters
    ----------
    sample : ReportSample

    Returns
    -------
    columns : dict of str to dict of str to list of str
        By domain. A star is called by the first column that holds words or whole numbers.
    """
    return {domain: _columns(sample.spectra[domain].meta or {}) for domain in sample.rows}


def _columns(meta: Mapping[str, Any]) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    for key, values in meta.items():
        items = list(values)
        if not all(map(_is_single, items)):  # arrays or lists for each star
            continue
        if not names and all(map(_can_name, items)):
            names["name"] = [word(item) for item in items]
        else:
            # "name" is what the star is called by: a column of that name isn't lost.
            title = "name_" if word(key) == "name" else word(key)
            columns[title] = [word(item) for item in items]
    return names | columns


def _can_name(value: Any) -> bool:
    return isinstance(value, str | bytes | int | np.integer) and not isinstance(value, bool)


def _is_single(value: Any) -> bool:
    is_word = isinstance(value, str | bytes)
    return is_word or not hasattr(value, "__len__") or getattr(value, "shape", None) == ()


def word(value: Any) -> str:
    """Return a value of metadata in a few characters.

    Parameters
    ----------
    value : object

    Returns
    -------
    word : str

    Examples
    --------
    >>> from spectragan.diagnostics.page.stars import word
    >>> word(5777.00001), word(None), word(b"HD 1")
    ('5777', '', 'HD 1')
    """
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, float | np.floating):
        return f"{value + 0.0:.6g}"  # of -0.0, too
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_WORD else f"{text[: LONGEST_WORD - 1]}…"


def packed(spectra: Spectra) -> dict[str, Any]:
    """Return flux in two bytes a value, for a script to unpack.

    Parameters
    ----------
    spectra : Spectra of shape (n_spectra, n_pixels)

    Returns
    -------
    data : dict
        Per row the lowest flux and a step (1/65534 of the range of the row), and the numbers of
        steps, little-endian, in base64; 65535 stands for a masked pixel.
    """
    good = spectra.ivar > 0
    flux = spectra.flux.astype(float)
    low = np.where(good, flux, np.inf).min(axis=1)
    high = np.where(good, flux, -np.inf).max(axis=1)
    low, high = (np.where(good.any(axis=1), edge, 0.0) for edge in (low, high))
    step = np.where(high > low, (high - low) / LEVELS, 1.0)
    levels = np.rint((np.where(good, flux, low[:, None]) - low[:, None]) / step[:, None])
    codes = np.where(good, levels, MASKED).astype("<u2")
    return {"low": low.tolist(), "step": step.tolist(), "codes": base64(codes)}


def base64(array: np.ndarray) -> str:
    """Return the bytes of an array as text."""
    return b64encode(np.ascontiguousarray(array).tobytes()).decode()


def plain(value: Any) -> float | None:
    """Return a number as JSON knows it: None in place of NaN and infinity."""
    return float(value) if np.isfinite(value) else None
