"""`show_versions`: what a bug report needs."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "spectragan",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "skorch",
    "astropy",
    "specutils",
    "matplotlib",
    "openTSNE",
    "safetensors",
    "tqdm",
    "h5py",
    "zarr",
    "dask",
    "jax",
)


def find_versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of what it works with.

    Returns
    -------
    versions : dict of str to str
        "not installed" for optional packages that aren't there. Nothing is imported for it.
    """
    found = {"python": sys.version.split()[0], "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def show_versions() -> None:
    """Print the versions of everything that matters, for a bug report.

    Examples
    --------
    >>> from spectragan import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    python ...
    """
    for name, found in find_versions().items():
        print(f"{name:<14}{found}")
