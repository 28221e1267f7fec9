"""What a reader may be told beside the file."""

from dataclasses import dataclass
from pathlib import Path

import astropy.units as u


@dataclass(frozen=True)
class ReadOptions:
    """The parameters of `read_spectra` that concern one file.

    Parameters
    ----------
    path : Path
        The file.
    visits : bool, default=False
        Read the visits of a star, too, where a file holds them beside the combined spectrum.
    arm : str, default=None
        Which part of a file that holds several grids.
    medium : {"air", "vacuum"}, default=None
        For files that don't say.
    wavelength_unit, flux_unit : astropy.units.UnitBase, default=None
        For files that don't say.
    checksum : bool, default=True
        Compare data with the checksums of the file.
    """

    path: Path
    visits: bool = False
    arm: str | None = None
    medium: str | None = None
    wavelength_unit: u.UnitBase | None = None
    flux_unit: u.UnitBase | None = None
    checksum: bool = True

    @property
    def stem(self) -> str:
        """The name of the file without folder and endings."""
        return self.path.name.removesuffix(".gz").rsplit(".", 1)[0]
