"""`read_spectra`: many files, in order, in parallel, with what could not be read."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from spectragan import (
    GridMismatchError,
    NaNFluxWarning,
    SkippedFileWarning,
    Spectra,
    SpectrumFileError,
    read_spectra,
)
from spectragan.spectra.formats.one_file import read_file


def write_star(path: Path, flux: float = 1.0, first: float = 500.0, unit: str = "") -> Path:
    lines = [f"wavelength [nm],flux{unit},error"]
    lines += [f"{first + i},{flux + i},0.1" for i in range(3)]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def stars(tmp_path):
    """Eleven files, whose order by name isn't that by number."""
    return [write_star(tmp_path / f"star{i}.csv", flux=float(i)) for i in range(11)]


def test_reading_keeps_the_order_of_paths(stars):
    order = [7, 0, 10, 3]
    s = read_spectra([stars[i] for i in order], verbose=0)
    assert s.flux[:, 0].tolist() == order
    assert s.meta["file"] == [str(stars[i]) for i in order]
    assert s.meta["id"] == [f"star{i}" for i in order]


def test_reading_a_pattern_sorts_by_name(stars, tmp_path):
    s = read_spectra(str(tmp_path / "*.csv"), verbose=0)
    assert s.meta["id"] == sorted(path.stem for path in stars)


def test_reading_takes_a_path_a_string_or_a_mixture(stars, tmp_path):
    one = read_spectra(stars[0])
    assert isinstance(one, Spectra)
    assert np.array_equal(one.flux, read_spectra(str(stars[0])).flux)
    mixed = read_spectra([stars[3], str(tmp_path / "star1*.csv")], verbose=0)
    assert mixed.meta["id"] == ["star3", "star1", "star10"]
    assert len(read_spectra((path for path in stars), verbose=0)) == 11


def test_reading_expands_the_home_folder(stars, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(read_spectra("~/star*.csv", verbose=0)) == 11


def test_reading_a_name_with_brackets_is_no_pattern(tmp_path):
    assert len(read_spectra(write_star(tmp_path / "star[1].csv"))) == 1


@pytest.mark.parametrize("n_jobs", [2, 8])
def test_reading_in_parallel_gives_the_same(stars, n_jobs):
    one = read_spectra(stars, n_jobs=1, verbose=0)
    many = read_spectra(stars, n_jobs=n_jobs, verbose=0)
    assert np.array_equal(one.flux, many.flux)
    assert one.meta["id"] == many.meta["id"]


def test_reading_shows_a_bar_on_stderr_unless_told_not_to(stars, capsys):
    read_spectra(stars)
    shown = capsys.readouterr()
    assert "11/11" in shown.err
    assert shown.out == ""
    read_spectra(stars, verbose=0)
    read_spectra(stars[0])
    assert capsys.readouterr().err == ""


def test_reading_stops_at_the_first_bad_file(stars):
    stars[2].write_text("")
    stars[5].write_text("")
    with pytest.raises(SpectrumFileError, match=r"star2\.csv`: it is empty"):
        read_spectra(stars, verbose=0)


def test_reading_starts_no_more_files_after_an_error(stars, monkeypatch):
    from spectragan.spectra import reading

    seen = []
    monkeypatch.setattr(reading, "read_file", lambda o, f: seen.append(o.path) or read_file(o, f))
    stars[0].write_text("")
    with pytest.raises(SpectrumFileError):
        read_spectra(stars * 100, n_jobs=2, verbose=0)
    assert len(seen) < len(stars) * 50


def test_reading_can_skip_bad_files_and_tell(stars):
    stars[2].write_text("")
    stars[5].unlink()
    with pytest.warns(SkippedFileWarning, match=r"2 of 11 files are skipped.*star2.*empty"):
        s, skipped = read_spectra(stars, errors="skip", return_skipped=True, verbose=0)
    assert s.meta["id"] == [f"star{i}" for i in range(11) if i not in (2, 5)]
    assert isinstance(skipped, Table)
    assert skipped["file"].tolist() == [str(stars[2]), str(stars[5])]
    assert skipped["cause"][1] == "there is no such file; check the path."


def test_reading_can_return_an_empty_table(stars):
    _, skipped = read_spectra(stars, return_skipped=True, verbose=0)
    assert skipped.colnames == ["file", "cause"]
    assert len(skipped) == 0


def test_reading_raises_if_nothing_is_left(tmp_path):
    with pytest.raises(SpectrumFileError, match="no such file"):
        read_spectra([tmp_path / "a", tmp_path / "b"], errors="skip", verbose=0)


def test_reading_names_two_files_on_different_grids(stars, tmp_path):
    other = write_star(tmp_path / "other.csv", first=600.0)
    for errors in ("raise", "skip"):  # to leave out half of the files would be no help
        with pytest.raises(GridMismatchError, match=r"star0\.csv` and `.*other\.csv`") as caught:
            read_spectra([*stars, other], errors=errors, verbose=0)
    assert "resample" in str(caught.value)


def test_reading_brings_flux_to_one_unit(tmp_path):
    a = write_star(tmp_path / "a.csv", unit=" [Jy]")
    b = write_star(tmp_path / "b.csv", flux=1000.0, unit=" [mJy]")
    s = read_spectra([a, b], verbose=0)
    np.testing.assert_allclose(s.flux[:, 0], [1, 1])
    np.testing.assert_allclose(s.std[:, 0], [0.1, 1e-4])


def test_reading_refuses_units_that_do_not_convert(tmp_path):
    a = write_star(tmp_path / "a.csv", unit=" [Jy]")
    b = write_star(tmp_path / "b.csv")
    with pytest.raises(SpectrumFileError, match=r"b\.csv`: its flux unit must convert to that of"):
        read_spectra([a, b], verbose=0)


def test_reading_values_under_a_mask_change_nothing(tmp_path):
    lines = ["wavelength [nm],flux,error,mask", "500,1,0.1,0", "501,{},0.1,1", "502,3,0.1,0"]
    found = []
    for i, value in enumerate(("1e30", "nan", "2")):
        path = tmp_path / f"{i}.csv"
        path.write_text("\n".join(lines).format(value))
        found.append(read_spectra(path))
    assert all(np.array_equal(found[0].filled(), s.filled()) for s in found)
    assert all(np.array_equal(found[0].ivar, s.ivar) for s in found)


def test_reading_warns_once_of_nan_in_many_files(stars):
    for path in stars[3:5]:
        lines = path.read_text().splitlines()
        path.write_text("\n".join([*lines[:2], "501.0,nan,0.1", lines[3]]))
    with pytest.warns(NaNFluxWarning, match=r"2 pixels of flux in 2 files.*star3") as caught:
        read_spectra(stars, verbose=0)
    assert len(caught) == 1


def test_reading_leaves_warning_filters_alone(stars):
    before = list(warnings.filters)
    read_spectra(stars, verbose=0)
    assert warnings.filters == before


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"errors": "ignore"}, ValueError, "`errors` must be 'raise' or 'skip'; got 'ignore'"),
        ({"format": "apstra"}, ValueError, r"did you mean 'apStar'\?.*known formats are apStar"),
        ({"format": 3}, TypeError, "`format` must be a name or None; got int"),
        ({"medium": "water"}, ValueError, "`medium` must be 'air', 'vacuum' or None"),
        ({"wavelength_unit": "parrot"}, ValueError, "a unit must be one that astropy reads"),
        ({"n_jobs": 0}, ValueError, "`n_jobs` must be an integer >= 1; got 0"),
    ],
)
def test_reading_refuses_wrong_parameters(stars, parameters, error, message):
    with pytest.raises(error, match=message):
        read_spectra(stars[0], **parameters)


@pytest.mark.parametrize(
    ("paths", "error", "message"),
    [
        ([], ValueError, "must hold at least one file; got none"),
        ([3], TypeError, "must hold paths or patterns; got int"),
        ("nowhere/*.fits", SpectrumFileError, "`nowhere/.*fits`: no file fits this pattern"),
    ],
)
def test_reading_refuses_wrong_paths(paths, error, message):
    with pytest.raises(error, match=message):
        read_spectra(paths)


def test_reading_needs_no_specutils(stars):
    code = (
        f"from spectragan import read_spectra; read_spectra({str(stars[0])!r}); import sys;"
        "print('specutils' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
