"""A report's page is one file that is complete, says what the report says, and trusts no word."""

import importlib.util
import json
import pickle
import re
import sys
import time
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectragan import LazySpectra, LinearTranslator, Spectra, translation_report
from spectragan.datasets import make_mock_domains
from spectragan.diagnostics import style
from spectragan.diagnostics.page.sample import KEPT_VALUES, draw_sample, squared_distances
from spectragan.diagnostics.page.stars import MASKED, packed, star_data, word

pytest.importorskip("bokeh", reason="pages need the extra `interactive`")

HOSTILE = '</script><script>document.title="broken"</script><!-- & \u2028 <b>'


ROOT = Path(__file__).parents[2]


def with_names(spectra, prefix):
    names = [f"{prefix} {i}" for i in range(len(spectra))]
    names[3] = f"{prefix} {HOSTILE}"
    temperatures = np.linspace(4000.0, 6000.0, len(spectra))
    temperatures[0] = np.nan
    visits = [list(range(i % 3)) for i in range(len(spectra))]
    several = {"coefficients": np.ones((len(spectra), 3)), "visits": visits}
    meta = several | {"id": names, "teff": temperatures}
    return spectra.with_flux(spectra.flux, spectra.ivar, spectra.noise, meta=meta)


@pytest.fixture(scope="module")
def mock():
    pair = make_mock_domains(110, 110, n_pixels=80, random_state=0)
    ivar = pair.observed.ivar.copy()
    ivar[5, :20] = 0
    ivar[7] = 0
    observed = pair.observed.with_flux(pair.observed.flux, ivar, pair.observed.noise)
    pair.synthetic, pair.observed = with_names(pair.synthetic, "model"), with_names(observed, "HD")
    return pair


@pytest.fixture(scope="module")
def report(mock):
    translator = LinearTranslator().fit(mock.synthetic, mock.observed)
    return translation_report(translator, mock.synthetic, mock.observed, random_state=0)


@pytest.fixture(scope="module")
def page(report):
    return report.to_html()


def block(page, name):
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page)
    return json.loads(found[1])


def test_page_loads_nothing_and_says_so_to_the_browser(page):
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page
    outside_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)\s*=|url\(|@import|https?://""", outside_scripts)


def test_page_has_the_verdict_findings_and_remedies_at_the_top(report, page):
    top = page[: page.index("<main>")]
    assert f'data-level="{report.verdict}"' in top.replace("&#x27;", "'")
    first = page[page.index("What was found") : page.index("Gap between")].replace("&#x27;", "'")
    for finding in report.findings:
        assert finding.what[1:] in first
        assert finding.remedy in re.sub("</?code>", "`", first)
    for score in (report.gap_before.auc, report.gap_after.auc, report.gap_after.auc_null):
        assert f"{score:.3f}" in page


def test_no_word_of_the_data_reaches_the_page_as_code(page):
    assert HOSTILE not in page
    assert page.count("</script>") == 4
    stars = block(page, "data")["stars"]
    expected = " ".join(HOSTILE.split())[:25]
    assert [expected in star["name"] for star in stars].count(True) == 2


def test_stars_have_their_own_numbers(report, mock):
    data = star_data(report.sample, report.strange)
    stars, n = data["stars"], data["n_synthetic"]
    assert (n, len(stars)) == (110, 219)  # one observed spectrum has no good pixel
    assert data["columns"] == ["teff"]
    assert stars[0]["meta"] == {"teff": ""}
    assert (word(-0.0), word(5777.00001), word(b"HD 1"), len(word("x" * 99))) == (
        "0",
        "5777",
        "HD 1",
        40,
    )
    assert stars[1]["name"] == "model 1"
    assert stars[n + 5]["masked"] == mock.observed[5].mask.mean() >= 0.25
    assert [s["row"] for s in stars[n:]] == [i for i in range(110) if i != 7]
    assert [s["p"] for s in stars[:n]] == report.strange.p_value.tolist()
    assert {s["p"] for s in stars[n:]} == {None}
    assert all(s["partner"] >= n for s in stars[:n])
    assert all(s["partner"] < n for s in stars[n:])
    after, before = (np.array([s[name] for s in stars]) for name in ("after", "before"))
    assert np.median(after) < 0.8 * np.median(before)


def test_nearest_partner_is_not_the_noisiest_nor_the_sharpest():
    rng = np.random.default_rng(0)
    truth = rng.normal(1.0, 0.1, size=(20, 400))
    sigma = np.where(np.arange(20) % 2, 0.01, 0.2)[:, None]
    ivar = np.broadcast_to(sigma**-2.0, truth.shape).copy()
    ivar[:, :50] = 0
    noisy = truth + rng.normal(size=truth.shape) * sigma
    noisy[:, :50] = 9.0
    observed, exact = Spectra(noisy, None, ivar), Spectra(truth, None, noise="exact")
    nearest = squared_distances(exact, observed).argmin(axis=1)
    np.testing.assert_array_equal(nearest, np.arange(20))


def test_spectra_are_packed_to_the_last_visible_digit():
    rng = np.random.default_rng(0)
    flux = rng.normal(3e-17, 1e-17, size=(4, 300))
    ivar = np.ones_like(flux)
    ivar[1, ::3], ivar[2] = 0, 0
    flux[3] = 2e-17
    data = packed(Spectra(flux, None, ivar))
    codes = np.frombuffer(b64decode(data["codes"]), "<u2").reshape(4, 300)
    np.testing.assert_array_equal(codes == MASKED, ivar == 0)
    back = np.array(data["low"])[:, None] + codes * np.array(data["step"])[:, None]
    good = ivar > 0
    assert np.abs(back - flux)[good].max() < 1e-5 * np.ptp(flux)


def test_page_of_long_spectra_stays_below_ten_megabytes(page):
    rows = KEPT_VALUES // 7214
    long = packed(Spectra(np.random.default_rng(0).normal(size=(rows, 7214)), None))
    assert len(page) + 4 * len(json.dumps(long)) < 10e6


def test_sample_is_small_seeded_and_of_usable_rows(mock):
    translator = LinearTranslator().fit(mock.synthetic, mock.observed)
    translated = translator.transform(mock.synthetic)
    sets = (mock.synthetic, translated, mock.observed)
    first, again, other = (
        draw_sample(translator, *sets, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert 7 not in first.rows["observed"]
    assert first.seed == again.seed != other.seed
    lazy = [LazySpectra(x.flux, x.wavelength, x.ivar, x.noise, x.medium) for x in sets]
    read = draw_sample(translator, *lazy, np.random.default_rng(0))
    for name, spectra in first.spectra.items():
        assert type(read.spectra[name]) is Spectra
        np.testing.assert_array_equal(read.spectra[name].flux, spectra.flux)


def test_numbers_words_and_files_are_as_without_a_sample(report, tmp_path):
    report.to_json(tmp_path / "report.json")
    assert "sample" not in json.loads((tmp_path / "report.json").read_text())
    assert "sample" not in repr(report) + report.summary()
    read = pickle.loads(pickle.dumps(report)).sample
    assert read.sizes == report.sample.sizes == {"synthetic": (110, 110), "observed": (110, 109)}


def test_page_without_spectra_is_written_in_place_of_an_older_one(report, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    assert replace(report, sample=None).to_html(path) is None
    page = path.read_text(encoding="utf-8")
    assert "This report keeps no spectra" in page
    assert block(page, "data")["stars"] == []
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_arrays_and_translators_without_latents_have_a_page(mock):
    synthetic, observed = (part.flux[:60, :40] for part in (mock.synthetic, mock.observed))
    translator = LinearTranslator(5).fit(synthetic, observed)
    report = translation_report(translator, synthetic, observed, random_state=0)
    page = replace(report, sample=replace(report.sample, latents={})).to_html()
    data = block(page, "data")
    assert "map-spectra" in data["roots"]
    assert "map-latents" not in data["roots"]
    assert data["stars"][60]["name"] == "observed 0"
    assert {star["p"] for star in data["stars"]} == {None}
    assert '"pixel"' in json.dumps(block(page, "figures"))


def test_without_bokeh_one_sentence_names_the_extra(report, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "bokeh"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"spectragan\[interactive\]") as error:
        report.to_html()
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def browser():
    """Return a driver of a headless browser, as the check of the documentation opens it."""
    spec = importlib.util.spec_from_file_location("check_site", ROOT / "docs" / "check_site.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    if missing := script.missing_tool():
        pytest.skip(f"{missing} not found")
    with script.open_browser() as driver:
        yield driver


def open_page(driver, path, *, width=1280, mode="light"):
    """Open a page as a screen of some width shows it, and wait until it is drawn."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    set_mode(driver, mode)
    driver.get(path.as_uri())
    wait(driver, "document.body.dataset.ready && Bokeh.documents[0].is_idle")


def set_mode(driver, mode):
    feature = {"name": "prefers-color-scheme", "value": mode}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def wait(driver, condition):
    start = time.monotonic()
    while not driver.execute_script(f"return Boolean({condition})"):
        assert time.monotonic() - start < 30, f"never so: {condition}"
        time.sleep(0.05)


def value(driver, expression):
    return driver.execute_script(f"return {expression}")


def complaints(driver):
    return [entry for entry in driver.get_log("browser") if entry["level"] != "INFO"]


# Where a point of a map is on the screen.
PLACE = """
const [figure, set, row] = arguments, drawing = Bokeh.documents[0];
document.getElementById(figure).scrollIntoView({block: "center"});
const view = Bokeh.index.get_by_id(drawing.get_model_by_name(figure).id);
const space = figure.slice(4), data = drawing.get_model_by_name(set).data;
const box = document.getElementById(figure).getBoundingClientRect();
return [box.x + view.frame.x_scale.compute(data[`${space}_x`][row]),
        box.y + view.frame.y_scale.compute(data[`${space}_y`][row])];
"""


def mouse(driver, kind, at, **more):
    event = {"type": kind, "x": at[0], "y": at[1], "button": "left", **more}
    driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)


@pytest.fixture(scope="module")
def path(page, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page, encoding="utf-8")
    return file


def text(driver, identifier):
    return value(driver, f"document.getElementById('{identifier}').textContent")


def test_click_in_a_map_shows_the_star(browser, report, path):
    open_page(browser, path)
    at = browser.execute_script(PLACE, "map-spectra", "translated", 40)
    mouse(browser, "mouseMoved", at)
    wait(browser, "!document.getElementById('tip').hidden")
    assert "spectrum" in text(browser, "tip")
    before = text(browser, "star-name")
    mouse(browser, "mousePressed", at, clickCount=1)
    mouse(browser, "mouseReleased", at, clickCount=1)
    wait(browser, f"document.getElementById('star-name').textContent !== {json.dumps(before)}")
    columns = value(browser, "Bokeh.documents[0].get_model_by_name('star').data")
    row = int(value(browser, "document.querySelector('tr[aria-current=true]').dataset.star"))
    star = star_data(report.sample, report.strange)["stars"][row]
    is_observed = star["domain"] == "observed"
    made, seen = (star["partner"], row - 110) if is_observed else (row, star["partner"] - 110)
    drawn = {"translated": made, "synthetic": made, "observed": seen}
    for name, number in drawn.items():
        spectra = report.sample.spectra[name][[number]]
        expected = spectra.filled(np.nan)[0]
        shown = np.array(columns[name], dtype=float)
        np.testing.assert_allclose(shown, expected, atol=1e-4)
    assert not complaints(browser)


def test_stars_are_sorted_found_and_drawn_around(browser, path):
    open_page(browser, path)
    cells = "[...document.querySelectorAll('#rows tr')].map((r) => r.children[{}].textContent)"
    head = "document.querySelectorAll('#columns button')[{}].click()"
    for _ in range(2):
        browser.execute_script(head.format(5))
    after = [float(number) for number in value(browser, cells.format(5))]
    assert after == sorted(after, reverse=True)
    assert len(after) == 219
    browser.execute_script(head.format(8))  # teff, which observed stars have, too, but for two
    teff = value(browser, cells.format(8))
    assert teff[-1] == ""
    assert [float(number) for number in teff if number] == sorted(float(n) for n in teff if n)
    find = "const f = document.getElementById('find'); f.value = arguments[0];"
    browser.execute_script(f"{find} f.dispatchEvent(new Event('input'))", "hd 1")
    assert set(value(browser, cells.format(1))) == {"observed"}
    browser.execute_script(f"{find} f.dispatchEvent(new Event('input'))", "")
    first, *_ = (browser.execute_script(PLACE, "map-latents", "observed", i) for i in range(1))
    corners = [(dx, dy) for dx, dy in ((-40, -40), (40, -40), (40, 40), (-40, 40), (-40, -39))]
    for kind, (dx, dy) in zip(
        ("mousePressed", *["mouseMoved"] * 3, "mouseReleased"), corners, strict=True
    ):
        mouse(browser, kind, (first[0] + dx, first[1] + dy), clickCount=1, buttons=1)
    wait(browser, "!document.getElementById('all').hidden")
    some = len(value(browser, cells.format(0)))
    assert 2 <= some < 219
    assert text(browser, "shown") == f"{some} of 219"
    browser.execute_script("document.getElementById('all').click()")
    assert text(browser, "shown") == "219"
    browser.execute_script("document.querySelector('[data-series=observed]').click()")
    visible = "Bokeh.documents[0].get_model_by_name('{}').renderers.map((r) => r.visible)"
    for name in ("map-spectra", "map-latents"):
        assert value(browser, visible.format(name))[:3] == [False, True, True]
    assert not complaints(browser)


def test_page_fits_every_screen_and_both_modes(browser, path):
    for width, mode in ((1280, "dark"), (390, "light"), (390, "dark")):
        # Opened in the other mode: it follows the reader's without being opened again.
        open_page(browser, path, width=width, mode="dark" if mode == "light" else "light")
        set_mode(browser, mode)
        assert value(browser, "document.documentElement.scrollWidth") <= width
        paper = style.MODES[mode]["paper"]
        axis = "Bokeh.documents[0].get_model_by_name('flux').background_fill_color"
        assert value(browser, axis).upper() == paper
        assert value(browser, "getComputedStyle(document.body).backgroundColor") == rgb(paper)
    wide = "[...document.querySelectorAll('.wide')].every((e) => !e.offsetParent)"
    assert value(browser, wide)
    assert value(browser, "document.title").startswith("LinearTranslator: ")
    assert not complaints(browser)


def rgb(colour):
    return "rgb({}, {}, {})".format(*bytes.fromhex(colour[1:]))
