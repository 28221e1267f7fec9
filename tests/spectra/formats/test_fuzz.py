"""Bytes of every layout cut off and flipped: one sentence, a warning, or what was written."""

import re
import warnings
from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spectragan import NaNFluxWarning, SpectraganWarning, SpectrumFileError, read_spectra

# Whatever is flipped, a file is small and is read at once: what takes longer hangs. A failure isn't
# made smaller, which takes minutes: the bytes that were flipped are shown.
quick = settings(
    max_examples=10,
    deadline=10_000,
    phases=[Phase.generate],
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def rows(m) -> fits.HDUList:
    hdu = m.primary(np.stack([5000.0 + np.arange(m.N), m.FLUX[0], m.ERROR[0]]), XUNITS="Angstrom")
    return fits.HDUList([hdu])


def stack(m) -> fits.HDUList:
    wave = m.image(5000.0 + np.arange(m.N), "WAVELENGTH", BUNIT="Angstrom")
    return fits.HDUList([m.primary(), m.image(m.FLUX, "FLUX"), wave, m.image(m.ERROR, "ERR")])


def multispec(m) -> fits.HDUList:
    said = 'wtype=multispec spec1 = "1 1 0 5000. 1. 40 0. 1. 10."'
    cards = {"CTYPE1": "MULTISPE", "WAT1_001": "units=angstroms", "WAT2_001": said}
    return fits.HDUList([m.primary(m.FLUX[:1], **cards)])


def phase3(m) -> fits.HDUList:
    columns = {"WAVE": (5000.0 + np.arange(m.N))[None], "FLUX": m.FLUX[:1], "ERR": m.ERROR[:1]}
    header = {"TUNIT1": "angstrom", "TUCD1": "em.wl;obs.atmos", "VOCLASS": "SPECTRUM V1.0"}
    return fits.HDUList([m.primary(), m.table("SPECTRUM", header, **columns)])


def onespec(m) -> fits.HDUList:
    columns = {"wave": 5000.0 + np.arange(m.N), "flux": m.FLUX[0], "ivar": m.ERROR[0] ** -2}
    mask = np.ones(m.N, np.int32)
    return fits.HDUList([m.primary(PYP_CLS="OneSpec"), m.table(**columns, mask=mask)])


def spspec(m) -> fits.HDUList:
    zero = np.zeros(m.N)
    cards = {"TELESCOP": "SDSS 2.5-M", "COEFF0": 3.6, "COEFF1": 1e-4}
    return fits.HDUList([m.primary(np.stack([m.FLUX[0], zero, m.ERROR[0], zero]), **cards)])


def lamost_medium(m) -> fits.HDUList:
    columns = {"FLUX": m.FLUX[0], "IVAR": m.ERROR[0] ** -2, "LOGLAM": m.LOGLAM}
    arm = m.table("COADD_B", **columns, ANDMASK=np.zeros(m.N, np.int16))
    return fits.HDUList([m.primary(TELESCOP="LAMOST"), arm])


def gaia(m) -> fits.HDUList:
    flux, error = m.gaia()
    table = m.table(source_id=np.array([1, 2]), flux=flux, flux_error=error)
    return fits.HDUList([m.primary(), table])


def bands(m) -> fits.HDUList:
    names = {"BANDID1": "spectrum - background", "BANDID2": "sigma - background"}
    data = np.stack([m.FLUX[0], m.ERROR[0]])[:, None]
    axis = {"CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CUNIT1": "Angstrom"}
    return fits.HDUList([m.primary(data, **names, **axis)])


def eso(m) -> fits.HDUList:
    words = {"HDUCLASS": "ESO", "HDUCLAS2": "ERROR", "HDUCLAS3": "MSE"}
    axis = {"CRVAL1": 5000.0, "CDELT1": 1.0, "CRPIX1": 1.0, "CUNIT1": "Angstrom"}
    return fits.HDUList(
        [m.primary(), m.image(m.FLUX[0], "DATA", **axis), m.image(m.ERROR[0] ** 2, "STAT", **words)]
    )


def compressed(m) -> fits.HDUList:
    flux = fits.CompImageHDU(m.FLUX, name="FLUX", compression_type="GZIP_1", quantize_level=0)
    return fits.HDUList([m.primary(), flux, stack(m)[2]])


def ascii_table(m) -> fits.HDUList:
    columns = [
        fits.Column("WAVE", "F10.4", array=5000.0 + np.arange(m.N), unit="Angstrom", ascii=True),
        fits.Column("FLUX", "E16.8", array=m.FLUX[0], ascii=True),
    ]
    return fits.HDUList([m.primary(), fits.TableHDU.from_columns(columns)])


LAYOUTS = {
    "apStar": lambda m: m.apstar(),
    "aspcapStar": lambda m: m.aspcapstar(),
    "apVisit": lambda m: m.apvisit(),
    "SDSS": lambda m: m.sdss(),
    "spSpec": spspec,
    "mwm": lambda m: m.mwm(),
    "LAMOST image": lambda m: m.lamost_dr5(),
    "LAMOST table": lambda m: m.lamost_dr8(),
    "LAMOST medium": lamost_medium,
    "GALAH": lambda m: m.galah(),
    "DESI": lambda m: m.desi("B"),
    "OneSpec": onespec,
    "Gaia XP": gaia,
    "Phase 3": phase3,
    "image": lambda m: m.one_d(),
    "stack": stack,
    "rows": rows,
    "multispec": multispec,
    "bands": bands,
    "ESO image": eso,
    "compressed": compressed,
    "ASCII table": ascii_table,
    "table": lambda m: m.simple(error=[0.1, 0.1, 0.1]),
}
XP = 'source_id,flux,flux_error\n1,"({})","({})"\n'.format(
    ", ".join(["2e-16"] * 343), ", ".join(["1e-17"] * 343)
)
TEXTS = {
    "Gaia XP": XP,
    "CSV": "wavelength [nm],flux,error\n500,1,0.1\n501,2,0.1\n502,3,0.1\n",
    "quoted CSV": 'wavelength [nm],flux\n"500","1"\n"501","2"\n',
    "blanks": "500.0 1.0 0.1\n501.0 2.0 0.1\n502.0 3.0 0.1\n",
    "commented heading": "# wavelength flux error\n5000 1D0 1D-1\n5001 2D0 1D-1\n",
    "ECSV": "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wavelength, unit: nm, datatype: float64}\n"
    "# - {name: flux, datatype: float64}\nwavelength flux\n500 1\n501 2\n",
}


def read(path, **options):
    """Return spectra, or None where the user is told: by one sentence, or by a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", NaNFluxWarning)
        try:
            return read_spectra(path, **options)
        except SpectraganWarning:
            return None
        except SpectrumFileError as error:
            said = str(error)
    assert said.startswith(f"`{path}`: ")
    rest = said.removeprefix(f"`{path}`: ")
    assert rest.endswith(".")
    assert "\n" not in rest
    assert not re.search(r"[.!?] [A-Z]", rest)
    return None


def data_places(content: bytes) -> list[tuple[int, int]]:
    """Return where the values of every HDU lie, without what fills their block."""
    with fits.open(BytesIO(content)) as hdul:
        return [(h.fileinfo()["datLoc"], h.fileinfo()["datLoc"] + h.size) for h in hdul if h.size]


def same(a, b) -> bool:
    arrays = ((a.filled(), b.filled()), (a.ivar, b.ivar), (a.wavelength.value, b.wavelength.value))
    return all(np.array_equal(x, y) for x, y in arrays)


@pytest.mark.parametrize("layout", LAYOUTS)
@quick
@given(data=st.data())
def test_a_flipped_byte_of_data_gives_another_value(make, tmp_path, layout, data):
    """Every HDU has a checksum of its data; a flip is refused, or in what isn't read."""
    # Summed while it is written: astropy 8 sums an ASCII table wrongly before.
    content = bytearray(make.raw(LAYOUTS[layout](make), checksum=True))
    path = tmp_path / "file.fits"
    path.write_bytes(content)
    good = read_spectra_quietly(path)
    # One byte: two changes may leave the sum as it was, which is all that a DATASUM is.
    start, end = data.draw(st.sampled_from(data_places(bytes(content))))
    content[data.draw(st.integers(start, end - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    s = read(path)
    assert s is None or same(s, good)


def read_spectra_quietly(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectraganWarning)
        return read_spectra(path)


@pytest.mark.parametrize("layout", LAYOUTS)
@quick
@given(data=st.data())
def test_flipped_and_cut_bytes_anywhere_never_crash(make, tmp_path, layout, data):
    content = bytearray(make.raw(LAYOUTS[layout](make)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path = tmp_path / "file.fits"
    path.write_bytes(content)
    s = read(path)
    assert s is None or (np.isfinite(s.flux).all() and np.isfinite(s.ivar).all())


@pytest.mark.parametrize("layout", TEXTS)
@quick
@given(data=st.data())
def test_flipped_and_cut_bytes_of_texts_never_crash(tmp_path, layout, data):
    content = bytearray(TEXTS[layout].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    s = read(path, wavelength_unit="nm")
    assert s is None or (np.isfinite(s.flux).all() and np.isfinite(s.ivar).all())
