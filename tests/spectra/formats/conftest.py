"""Makers of small files as surveys write them: the layout of the real ones, with few pixels."""

from io import BytesIO
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

N = 40  # pixels
RNG = np.random.default_rng(0)
FLUX = RNG.uniform(0.5, 1.5, (3, N)).astype(np.float32)
ERROR = RNG.uniform(0.01, 0.1, (3, N)).astype(np.float32)
LOGLAM = 3.6 + 1e-4 * np.arange(N)
APOGEE_CARDS = {"CRVAL1": 4.179, "CDELT1": 6e-6, "CRPIX1": 1.0, "CTYPE1": "LOG-LINEAR"}
FLUX_UNIT = "Flux (10^-17 erg/s/cm^2/Ang)"


def image(data, name=None, **cards):
    hdu = fits.ImageHDU(data, name=name)
    hdu.header.update(cards)
    return hdu


def primary(data=None, **cards):
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(cards)
    return hdu


def table(name=None, header=None, **columns):
    hdu = fits.BinTableHDU(Table(columns), name=name)
    hdu.header.update(header or {})
    return hdu


def apstar(n_visits=2, mask=None):
    """Two combinations and the visits, or one row for a single visit."""
    n_rows = 1 if n_visits == 1 else n_visits + 2
    flux = np.arange(1, n_rows + 1)[:, None] * FLUX[:1]
    error = np.repeat(ERROR[:1], n_rows, axis=0)
    mask = np.zeros((n_rows, N), np.int16) if mask is None else mask
    cards = {"NVISITS": n_visits, "OBJID": "2M00005414+5522241", "SNR": 120.5, "VHELIO": -12.5}
    for i in range(1, n_visits + 1):
        cards |= {f"SNRVIS{i}": 50.0 + i, f"VHELIO{i}": -12.0 - i}
    return fits.HDUList(
        [
            primary(**cards),
            image(flux, BUNIT=FLUX_UNIT, **APOGEE_CARDS),
            image(error, BUNIT="Err (10^-17 erg/s/cm^2/Ang)", **APOGEE_CARDS),
            image(mask, BUNIT="Pixel Mask", **APOGEE_CARDS),
        ]
    )


def aspcapstar():
    error = ERROR[0].copy()
    error[:2] = 0, 1e10  # a gap between detectors, and a bad pixel
    columns = {"APOGEE_ID": ["2M00005414+5522241"], "SNR": [120.5], "VHELIO_AVG": [-12.5]}
    return fits.HDUList(
        [
            primary(),
            image(FLUX[0], **APOGEE_CARDS),
            image(error, **APOGEE_CARDS),
            image(FLUX[0], **APOGEE_CARDS),
            table(**columns, FPARAM=[[5000.0, 4.0]], ASPCAPFLAG=[0]),
        ]
    )


def apvisit():
    """Three detectors, the reddest first, wavelengths falling in each."""
    starts = np.array([16900.0, 16400.0, 15800.0])
    wavelength = starts[:, None] - 0.25 * np.arange(N)
    mask = np.zeros((3, N), np.int32)
    mask[0, 0] = 1
    unit = {"BUNIT": FLUX_UNIT}
    return fits.HDUList(
        [
            primary(OBJID="2M00005414+5522241", SNR=80.0, VRAD=7.0, BC=11.0, VHELIO=18.0),
            image(FLUX, **unit),
            image(ERROR, **unit),
            image(mask, BUNIT="Flag Mask"),
            image(wavelength, BUNIT="Wavelength (Ang)"),
        ]
    )


def sdss(and_mask=None, mask_name="and_mask", kind="STAR"):
    and_mask = np.zeros(N, np.int32) if and_mask is None else and_mask
    columns = {"flux": FLUX[0], "loglam": LOGLAM, "ivar": ERROR[0] ** -2, mask_name: and_mask}
    return fits.HDUList(
        [
            primary(PLATEID=266, MJD=51630, FIBERID=3, TELESCOP="SDSS 2.5-M", VERS2D="v5_7_0"),
            table("COADD", **columns, or_mask=np.full(N, 1 << 23, np.int32)),
            table("SPECOBJ", CLASS=[kind], Z=[1e-4], SN_MEDIAN=[[10.0, 20.0, 30.0]]),
        ]
    )


def mwm(boss=0, apogee=1, visits=False, header=()):
    """Four tables; `boss` and `apogee` are the numbers of rows at Apache Point."""
    hdus = [primary(V_ASTRA="0.6.0", SDSS_ID=54321, **dict(header))]
    for name, n_rows in (("BOSS", boss), ("BOSS", 0), ("APOGEE", apogee), ("APOGEE", 0)):
        first, step = (4.179, 6e-6) if name == "APOGEE" else (3.6, 1e-4)
        log = first + step * np.arange(N)
        flags = np.zeros((n_rows, N), np.int32)
        flags[:, :2] = 1 << 12, 1 << 9  # a sky line; persistence, which isn't bad
        columns = {
            "sdss_id": np.full(n_rows, 54321),
            "snr": np.full(n_rows, 50.0),
            ("xcsao_v_rad" if name == "BOSS" else "v_rad"): np.full(n_rows, 3.0),
            "flux": FLUX[[0] * n_rows],
            "ivar": ERROR[[0] * n_rows] ** -2,
            "pixel_flags": flags,
        }
        if not visits:
            columns["wavelength"] = np.tile(10**log, (n_rows, 1))
            columns["min_mjd"] = np.full(n_rows, 59000)
        cards = {"INSTRMNT": name, "CRVAL": first, "CDELT": step}
        hdus.append(table(header=cards, **columns))
    return fits.HDUList(hdus)


def lamost_rows():
    mask = np.zeros((2, N), np.float32)
    mask[0, 3] = 8  # bad in all exposures
    mask[1, :10] = 8  # bad in one
    return np.vstack([FLUX[:1], ERROR[:1] ** -2, 10.0 ** LOGLAM[None], mask]).astype(np.float32)


LAMOST_CARDS = {
    "TELESCOP": "LAMOST",
    "OBSID": 101001,
    "DESIG": "LAMOST J220848.54-020324.3",
    "SNRG": 33.0,
    "HELIO_RV": 4.5,  # of the Earth
    "CLASS": "STAR",
    "Z": -1e-4,
}


def lamost_dr5():
    return fits.HDUList([primary(lamost_rows(), **LAMOST_CARDS)])


def lamost_dr8():
    names = ("FLUX", "IVAR", "WAVELENGTH", "ANDMASK", "ORMASK", "NORMALIZATION")
    rows = [*lamost_rows(), FLUX[0]]
    columns = {name: row[None] for name, row in zip(names, rows, strict=True)}
    return fits.HDUList([primary(**LAMOST_CARDS), table("COADD", **columns)])


def galah():
    relative = (ERROR[0] / FLUX[0]).astype(np.float32)
    cards = {"CRVAL1": 4713.0, "CDELT1": 0.046, "CRPIX1": 1, "CTYPE1": "LINEAR"}
    return fits.HDUList(
        [
            primary(FLUX[0], ORIGIN="GALAH", RVCOM=11.5, **cards),
            image(relative, "input_sigma", **cards),
            image(FLUX[1], "no_sky_spectrum", **cards),
            image(relative, "no_sky_sigma", **cards),
            image(FLUX[0], "normalised_spectrum", **cards),
        ]
    )


def desi(arms="BRZ"):
    hdus = [primary(), table("FIBERMAP", TARGETID=np.array([11, 22, 33]))]
    for i, arm in enumerate(arms):
        mask = np.zeros((3, N), np.uint32)
        mask[1, 4] = 16
        unit = {"BUNIT": "10**-17 erg/(s cm2 Angstrom)"}
        axis = 3600.0 + 2000 * i + 0.8 * np.arange(N)
        hdus += [
            image(axis, f"{arm}_WAVELENGTH", BUNIT="Angstrom"),
            image(FLUX, f"{arm}_FLUX", **unit),
            image(ERROR**-2, f"{arm}_IVAR"),
            image(mask, f"{arm}_MASK"),
        ]
    snr = {f"MEDIAN_COADD_SNR_{arm}": np.array([1.0, 2.0, 3.0]) for arm in arms}
    return fits.HDUList([*hdus, table("SCORES", **snr)])


GAIA_GRID = np.arange(336.0, 1021.0, 2)


def gaia(n_sources=2):
    """Flux and errors of faint sources, in W m-2 nm-1."""
    flux = np.random.default_rng(1).uniform(1e-19, 2e-19, (n_sources, len(GAIA_GRID)))
    return flux, flux / 50


def one_d(**cards):
    """A 1-D image with a linear axis in its header."""
    given = {"CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CUNIT1": "Angstrom", **cards}
    return fits.HDUList([primary(FLUX[0], **{k: v for k, v in given.items() if v is not None})])


def plate() -> fits.HDUList:
    cards = {"TELESCOP": "SDSS 2.5-M", "COEFF0": 3.6, "COEFF1": 1e-4}
    fibres = np.tile(FLUX, (2, 1))
    return fits.HDUList([primary(fibres, **cards), image(fibres)])


def unequal_rows() -> fits.HDUList:
    rows = np.array([FLUX[0], FLUX[0, 1:]], dtype=object)
    columns = [fits.Column(n, "PD()", array=rows, unit="nm") for n in ("WAVE", "FLUX")]
    return fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)])


def ascii_null() -> fits.HDUList:
    columns = [
        fits.Column("WAVE", "F9.3", array=5000.0 + np.arange(N), unit="Angstrom", ascii=True),
        fits.Column("FLUX", "I9", array=np.arange(N), null="-1", ascii=True),
    ]
    return fits.HDUList([fits.PrimaryHDU(), fits.TableHDU.from_columns(columns)])


def lamost_arms() -> fits.HDUList:
    columns = {"FLUX": FLUX[0], "IVAR": ERROR[0] ** -2, "LOGLAM": LOGLAM}
    arms = [table(n, **columns, ANDMASK=np.zeros(N, "i2")) for n in ("COADD_B", "COADD_R")]
    return fits.HDUList([primary(TELESCOP="LAMOST"), *arms])


def raw(hdul, checksum: bool = False) -> bytes:
    buffer = BytesIO()
    hdul.writeto(buffer, checksum=checksum)
    return buffer.getvalue()


def cut(hdul, fraction: float) -> bytes:
    content = raw(hdul)
    return content[: int(len(content) * fraction)]


def changed(hdul, change) -> fits.HDUList:
    change(hdul)
    return hdul


def without(hdul, key: int) -> fits.HDUList:
    del hdul[key]
    return hdul


def with_checksum(hdul, flip: bool) -> bytes:
    """Return a file with checksums, and if asked for with one byte of flux changed."""
    for hdu in hdul:
        hdu.add_checksum()
    content = bytearray(raw(hdul))
    place = fits.open(BytesIO(bytes(content)))[1].fileinfo()["datLoc"]
    content[place + 9] ^= 0x10 if flip else 0
    return bytes(content)


def csv(*rows: str, heading: str = "wavelength [nm],flux,error") -> str:
    return "\n".join([heading, *rows])


def rows(wavelengths=(500, 501, 502), flux=(1, 2, 3), error=(0.1, 0.1, 0.1)) -> list[str]:
    return [",".join(map(str, row)) for row in zip(wavelengths, flux, error, strict=True)]


def simple(**columns) -> fits.HDUList:
    given = {"wavelength": [500.0, 501, 502] * u.nm, "flux": [1.0, 2, 3], **columns}
    table = fits.BinTableHDU(Table({k: v for k, v in given.items() if v is not None}))
    return fits.HDUList([fits.PrimaryHDU(), table])


def header(key: int, **cards):
    return lambda h: h[key].header.update(cards)


def data(key: int, index, value):
    return lambda h: h[key].data.__setitem__(index, value)


@pytest.fixture
def make():
    return SimpleNamespace(**{k: v for k, v in globals().items() if not k.startswith("_")})


@pytest.fixture
def write(tmp_path):
    """Write HDUs, text or bytes into a file and return its path."""

    def write(content, name="file.fits"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content)
        else:
            content.writeto(path)
        return path

    return write
