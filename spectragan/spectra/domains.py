"""Two domains, synthetic (0) and observed (1): stacking, splitting, checking."""

import warnings
from typing import Any

import numpy as np

from spectragan.exceptions import DomainScaleWarning, SwappedDomainsWarning
from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import as_spectra
from spectragan.spectra.joining import check_same_grid, concatenate
from spectragan.spectra.lazy import LazySpectra
from spectragan.spectra.rows import drop_absent

DOMAINS = {"synthetic": 0, "observed": 1}
# Normalised spectra of the two domains lie within some ten per cent of each other; a factor of
# three can't be a synthetic gap, it is a normalisation that was forgotten on one side.
GROSS_SCALE_RATIO = 3.0
SCALE_ROWS = 1000  # of spectra in files: enough for a factor of three


def stack_domains(synthetic: Any, observed: Any) -> tuple[Spectra, np.ndarray]:
    """Put observed spectra below synthetic ones, with the domain of every row.

    Parameters
    ----------
    synthetic, observed : Spectra, specutils object or ndarray
        On one grid, in units that convert.

    Returns
    -------
    spectra : Spectra of n_synthetic + n_observed rows
        Noise words, masks and metadata of both; flux in the unit of `synthetic`.
    domain : ndarray of int of shape (n_synthetic + n_observed,)
        0 for synthetic rows, 1 for observed rows.

    Raises
    ------
    GridMismatchError
        If pixels, wavelengths or medium differ.
    ValueError
        If the flux units don't convert.

    See Also
    --------
    split_domains : The way back.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import Spectra, stack_domains
    >>> models = Spectra(np.ones((2, 5)), None, noise="exact")
    >>> stars = Spectra(np.ones((1, 5)), None, ivar=np.full((1, 5), 400.0))
    >>> X, y = stack_domains(models, stars)
    >>> X.noise.tolist(), y.tolist()
    (['exact', 'exact', 'known'], [0, 0, 1])
    """
    parts = [as_spectra(synthetic), as_spectra(observed)]
    check_same_grid(parts[0], parts[1], names=("synthetic", "observed"))
    domain = np.repeat([0, 1], [len(part) for part in parts])
    return concatenate(parts), domain


def split_domains(spectra: Spectra, domain: Any) -> tuple[Spectra, Spectra]:
    """Return the synthetic and the observed rows.

    Parameters
    ----------
    spectra : Spectra
        Rows of both domains.
    domain : array-like of shape (n_spectra,)
        The domain of every row, see `check_domain`.

    Returns
    -------
    synthetic, observed : Spectra
        The rows of each domain in their order, without metadata that none of its rows has.

    Raises
    ------
    ValueError
        If one domain is missing or `domain` isn't one word per row.
    """
    spectra = as_spectra(spectra)
    codes = check_domain(domain, n_rows=len(spectra), need_both=True)
    synthetic, observed = (_without_absent(spectra[codes == code]) for code in (0, 1))
    return synthetic, observed


def _without_absent(part: Spectra) -> Spectra:
    kept = part[:]
    kept._meta = drop_absent(part.meta)
    return kept


def check_domain(domain: Any, *, n_rows: int | None = None, need_both: bool = False) -> np.ndarray:
    """Return the domain of every row as integers.

    Parameters
    ----------
    domain : array-like of shape (n_spectra,)
        0/1, bool, or the words "synthetic" and "observed".
    n_rows : int, default=None
        Number of spectra; None doesn't check it.
    need_both : bool, default=False
        Whether both domains must occur. Then any two numbers >= 0 will do, the lower for
        synthetic.

    Returns
    -------
    ndarray of int of shape (n_spectra,)
        0 for synthetic, 1 for observed.

    Raises
    ------
    ValueError
        If there is any other value, the wrong number of them, or only one domain.

    Examples
    --------
    >>> from spectragan.spectra import check_domain
    >>> check_domain(["synthetic", "observed"])
    array([0, 1])
    """
    if domain is None:
        raise ValueError(
            "the domain of every spectrum must be given; this step requires y to be passed, "
            "but the target y is None; pass y with 0 for synthetic and 1 for observed rows."
        )
    values = np.asarray(domain)
    if values.ndim != 1:
        raise ValueError(
            f"`domain` must be 1-D, one value per spectrum; got shape {values.shape}; "
            "use np.ravel on a column."
        )
    if need_both:
        _check_not_signed(values)
        values = _as_two_numbers(values)
    codes = np.array([_domain_code(value) for value in values.tolist()], dtype=int)
    if n_rows is not None and len(codes) != n_rows:
        raise ValueError(
            f"`domain` must hold one value for each of {n_rows} spectra; got {len(codes)}; "
            "use stack_domains to make both together."
        )
    if need_both and len(np.unique(codes)) < 2:
        only = "none" if len(codes) == 0 else f"only {list(DOMAINS)[codes[0]]!r}"
        raise ValueError(
            f"`domain` must name both domains, synthetic (0) and observed (1); got {only}; "
            "add spectra of the other domain, or where cross-validation made these rows, "
            "take cv=StratifiedKFold(shuffle=True)."
        )
    return codes


def _check_not_signed(values: np.ndarray) -> None:
    """Refuse negative numbers: elsewhere they name a target, here the lower one is the source."""
    if values.dtype.kind in "if" and (values < 0).any():
        raise ValueError(
            "`domain` must hold 0 (synthetic) or 1 (observed); got "
            f"{', '.join(map(str, np.unique(values).tolist()[:4]))}, and negative numbers mean "
            "the target elsewhere; write np.where(domain < 0, 1, 0) if they are the observed rows."
        )


def _as_two_numbers(values: np.ndarray) -> np.ndarray:
    """Return 0 and 1 for the lower and the higher of two numbers: other tools count from 1."""
    distinct = np.unique(values) if values.dtype.kind in "iuf" else values[:0]
    return (values == distinct[1]).astype(int) if len(distinct) == 2 else values


def _domain_code(value: Any) -> int:
    if isinstance(value, str) and value in DOMAINS:
        return DOMAINS[value]
    if not isinstance(value, str) and value in (0, 1):
        return int(value)
    raise ValueError(
        f"`domain` must hold 0 (synthetic) or 1 (observed), or these two words; got {value!r}; "
        "use exactly two domains."
    )


def noise_word(spectra: Spectra) -> str:
    """Return the noise word that all rows have, or "mixed".

    Parameters
    ----------
    spectra : Spectra
        Of one domain.

    Returns
    -------
    word : {"known", "exact", "unknown", "mixed"}
    """
    words = np.unique(spectra.noise)
    return str(words[0]) if len(words) == 1 else "mixed"


def check_domain_order(synthetic: Spectra, observed: Spectra) -> None:
    """Warn if the noise words say that the domains changed places.

    Parameters
    ----------
    synthetic, observed : Spectra
        What was given as such.

    Warns
    -----
    SwappedDomainsWarning
        If all observed spectra are exact, and all synthetic ones are not.
    """
    words = noise_word(synthetic), noise_word(observed)
    if words[0] in ("known", "unknown") and words[1] == "exact":
        warnings.warn(
            f"the noise of all synthetic spectra is {words[0]!r} and that of all observed ones "
            "'exact', as if the domains had changed places; give synthetic spectra first, or "
            "domain 0 to them, and check the noise words if they are right.",
            SwappedDomainsWarning,
            stacklevel=4,
        )


def check_domain_scales(synthetic: Spectra, observed: Spectra) -> None:
    """Warn when the flux scales of two domains differ grossly.

    Parameters
    ----------
    synthetic, observed : Spectra
        The two domains, as a translator would be trained on them.

    Warns
    -----
    DomainScaleWarning
        If the median fluxes differ by more than a factor of three.
    """
    a, b = (_median_flux(part) for part in (synthetic, observed))
    low, high = sorted((abs(a), abs(b)))
    if high > GROSS_SCALE_RATIO * low:
        warnings.warn(
            f"the median flux is {a:.4g} in the synthetic and {b:.4g} in the observed domain; "
            "normalise both the same way first, for example with ContinuumNormalizer.",
            DomainScaleWarning,
            stacklevel=3,
        )


def _median_flux(part: Spectra) -> float:
    if isinstance(part, LazySpectra):
        part = part[:: -(-len(part) // SCALE_ROWS)].load()
    good = part.ivar > 0
    return float(np.median(part.flux[good])) if good.any() else 0.0
