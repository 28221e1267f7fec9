"""What a newcomer calls first: the quickstart of an installation, and the versions in it."""

import re

import pytest

import spectragan
from spectragan.__main__ import main
from spectragan.versions import find_versions


def test_quickstart_closes_a_part_of_the_gap_and_draws_it(tmp_path, capsys):
    main(["--baselines", "--figure", str(tmp_path / "star.png")])
    printed = capsys.readouterr().out
    left = {
        name: float(re.search(rf"{name} .*\s([\d.]+)\n", printed)[1])
        for name in ("no translation", "mean shift", "linear")
    }
    assert left["no translation"] == 1
    assert left["linear"] < 0.75 < left["mean shift"] + 0.1
    assert "of the residual is gone" in printed
    assert (tmp_path / "star.png").read_bytes()[:4] == b"\x89PNG"


def test_versions_are_those_that_are_installed(capsys):
    main(["--versions"])
    printed = capsys.readouterr().out
    spectragan.show_versions()
    assert capsys.readouterr().out == printed
    assert re.search(r"^python +3\.", printed, flags=re.MULTILINE)
    assert all(name in printed for name in ("torch", "astropy", "skorch"))


def test_what_is_not_installed_is_said(monkeypatch):
    monkeypatch.setattr("spectragan.versions.PACKAGES", ("no-such-package",))
    assert find_versions()["no-such-package"] == "not installed"


def test_unknown_arguments_are_told(capsys):
    with pytest.raises(SystemExit):
        main(["--nonsense"])
    assert "unrecognized arguments" in capsys.readouterr().err
