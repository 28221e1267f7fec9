"""The check of the built documentation finds what is broken, and nothing else."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "check_site.py"

FRONT = """<html><body id="start"><a name="old"></a>
<a href="sub/page.html#here">a</a> <a href="#start">b</a> <a href="#">c</a> <a href="sub/">d</a>
<a href="https://example.invalid/x">e</a> <a href="mailto:a@example.invalid">f</a>
<img src="a%20b.png" srcset="a%20b.png 1x, a%20b.png 2x"></body></html>"""
SUB = '<a id="here" href="../index.html#old">up</a><a href="/index.html?q=1#start">top</a>'


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("check_site", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(FRONT)
    (tmp_path / "a b.png").write_bytes(b"")
    for name in ("page", "index"):
        (tmp_path / "sub" / f"{name}.html").write_text(SUB)
    return tmp_path


def test_a_good_site_has_no_problems(script, site):
    problems, n_followed = script.check_links(site)
    assert problems == []
    assert n_followed == 9  # five of the front page, two of each page below; none elsewhere


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        ("sub/page.html#here", "sub/gone.html#here", "no such file"),
        ("sub/page.html#here", "sub/page.html#gone", "no such anchor"),
        ("#start", "#gone", "no such anchor"),
        ('"a%20b.png"', '"gone.png"', "no such file"),
        ("a%20b.png 2x", "gone.png 2x", "no such file"),
        ("sub/page.html#here", "../outside.html", "outside the site"),
    ],
)
def test_one_broken_reference_is_found(script, site, good, bad, why):
    inner = site / "inner"
    inner.mkdir()
    for path in ("index.html", "sub", "a b.png"):
        (site / path).rename(inner / path)
    (site / "outside.html").write_text("")
    front = inner / "index.html"
    front.write_text(FRONT.replace(good, bad))
    problems, _ = script.check_links(inner)
    assert len(problems) == 1
    assert problems[0].startswith("index.html: ")
    assert problems[0].endswith(why)


def test_failed_requests_are_found_in_a_browser_log(script):
    def event(method, number, **params):
        return {"method": f"Network.{method}", "params": {"requestId": number, **params}}

    def answer(status):
        return {"url": f"u{status}", "status": status}

    events = [
        *(event("requestWillBeSent", n, request={"url": f"r{n}"}) for n in range(2)),
        event("responseReceived", 0, response=answer(200)),
        event("responseReceived", 1, response=answer(404)),
        event("loadingFailed", 0, errorText="refused"),
        event("loadingFailed", 1, canceled=True),
    ]
    assert script.failed_requests(events) == ["u404", "r0"]


def test_without_a_browser_the_links_are_still_checked(script, site, capsys, monkeypatch):
    monkeypatch.setattr(script, "which", lambda name: None)
    assert script.main([str(site)]) == 0
    printed = capsys.readouterr().out
    assert "9 internal links, anchors and images followed, 0 broken" in printed
    assert "browser part left out: chromium and chromedriver" in printed
    (site / "a b.png").unlink()
    assert script.main([str(site)]) == 1
    assert "index.html: a%20b.png: no such file" in capsys.readouterr().out


def test_a_folder_that_is_no_site_is_refused(script, tmp_path, capsys):
    with pytest.raises(SystemExit):
        script.main([str(tmp_path)])
    assert "must hold index.html" in capsys.readouterr().err
