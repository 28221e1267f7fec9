"""Check the built documentation: every internal link, offline, and some pages in a browser.

Run it as ``python docs/check_site.py docs/_build/html``. It prints what is broken, and ends with 1
if anything is. The second part needs Debian's packages ``chromium`` and ``chromium-driver``, and
selenium (extra ``docs``); without them it is left out.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

# Attributes that lead somewhere, whatever element they are on.
REFERENCES = ("href", "src", "data", "poster")
ASSETS = "_static"  # a theme's templates lie there, which are no pages
BROWSER, DRIVER = "chromium", "chromedriver"
HOST = "127.0.0.1"
FLAGS = (
    "--headless",
    "--no-sandbox",  # continuous integration runs as root
    "--disable-gpu",
    "--disable-dev-shm-usage",  # small in containers
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    # The result must not depend on other hosts, so that none is found.
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
)
FRONT = "index.html"
GALLERY = "gallery/plot_*.html"
API = "reference/generated/spectragan.CycleGANTranslator.html"
SEARCH = "search.html?q=translator"
RESULTS = "#search-results li a"
PATIENCE = 60  # seconds for a page, on a busy machine
BROKEN_IMAGES = """return [...document.images].filter(i => i.complete && !i.naturalWidth)
                           .map(i => i.src);"""


class Page(HTMLParser):
    """What one page refers to, and what can be referred to on it.

    Parameters
    ----------
    text : str
        HTML.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.references: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take notes of one element; the parser calls this."""
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name in REFERENCES:
                self.references.add(value)
            elif name == "srcset":
                self.references.update(part.split()[0] for part in value.split(",") if part.strip())


def check_links(site: Path) -> tuple[list[str], int]:
    """Follow every link, anchor and image that stays within the site.

    Parameters
    ----------
    site : Path
        Folder of a built site.

    Returns
    -------
    problems : list of str
        One line for each thing that is broken.
    n_followed : int
        References followed.
    """
    site = site.resolve()
    paths = [p for p in sorted(site.rglob("*.html")) if ASSETS not in p.relative_to(site).parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    inside = [(path, ref) for path, page in pages.items() for ref in sorted(page.references)]
    inside = [(path, ref) for path, ref in inside if is_inside(ref)]
    found = [(path, ref, broken_part(site, pages, path, ref)) for path, ref in inside]
    problems = [f"{path.relative_to(site)}: {ref}: {why}" for path, ref, why in found if why]
    return problems, len(inside)


def is_inside(reference: str) -> bool:
    """Tell whether a reference stays within the site: it names neither a scheme nor a host."""
    parts = urlsplit(reference)
    return not (parts.scheme or parts.netloc)


def broken_part(site: Path, pages: dict[Path, Page], page: Path, reference: str) -> str | None:
    """Return what is wrong with a reference of a page, or None."""
    parts = urlsplit(reference)
    start = site if parts.path.startswith("/") else page.parent
    target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else page
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file():
        return "no such file"
    if not target.is_relative_to(site):
        return "outside the site"
    anchor = unquote(parts.fragment)
    if anchor in ("", "top") or target not in pages or anchor in pages[target].anchors:
        return None
    return "no such anchor"


def missing_tool() -> str | None:
    """Return what the browser part lacks, or None."""
    lacking = [name for name in (BROWSER, DRIVER) if which(name) is None]
    lacking += [] if find_spec("selenium") else ["selenium"]
    return " and ".join(lacking) or None


def check_in_browser(site: Path) -> tuple[list[str], list[str]]:
    """Open one page of each kind in a browser.

    Parameters
    ----------
    site : Path
        Folder of a built site.

    Returns
    -------
    problems : list of str
        Errors on the console, failed requests, broken images, a search without results.
    pages : list of str
        Pages opened.
    """
    pages = [FRONT, *[str(p.relative_to(site)) for p in sorted(site.glob(GALLERY))[:1]], API]
    problems = [] if len(pages) > 2 else [f"{GALLERY}: no such page"]
    with served(site) as address, open_browser() as driver:
        for page in (*pages, SEARCH):
            driver.get(f"{address}/{page}")
            if page == SEARCH and not search_results(driver):
                problems.append(f"{page}: no results")
            problems += [f"{page}: {problem}" for problem in page_problems(driver, address)]
    return problems, [*pages, SEARCH]


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine, and yield its address."""
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; the server calls this."""


@contextmanager
def open_browser() -> Iterator[Any]:
    """Yield a driver of a new browser that remembers nothing."""
    # Late, and never at import: pytest collects this file, too.
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    os.environ["no_proxy"] = os.environ["NO_PROXY"] = HOST + ",localhost"
    options = webdriver.ChromeOptions()
    options.binary_location = which(BROWSER)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(which(DRIVER)))
        try:
            driver.set_page_load_timeout(PATIENCE)
            yield driver
        finally:
            driver.quit()


def search_results(driver: Any) -> int:
    """Wait for the search page, and return how many results it shows."""
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.support.ui import WebDriverWait

    try:
        wait = WebDriverWait(driver, PATIENCE)
        return wait.until(lambda d: len(d.find_elements("css selector", RESULTS)))
    except TimeoutException:
        return 0


def page_problems(driver: Any, address: str) -> list[str]:
    """Return what the console, the requests and the images of the open page say."""
    console = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    messages = [entry["message"] for entry in console]
    # Other hosts are out of reach here; formulas are drawn by a script from one of them.
    own = [m for m in messages if not m.startswith("http") or m.startswith(address)]
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    failed = [url for url in failed_requests(events) if url.startswith(address)]
    return [
        *(f"console: {message}" for message in own),
        *(f"request failed: {url}" for url in failed),
        *(f"broken image: {url}" for url in driver.execute_script(BROKEN_IMAGES)),
    ]


def failed_requests(events: list[dict[str, Any]]) -> list[str]:
    """Return the addresses that couldn't be loaded, or were answered with an error.

    Parameters
    ----------
    events : list of dict
        Of the browser's network log, each with ``method`` and ``params``.

    Returns
    -------
    addresses : list of str
    """
    asked, failed = {}, []
    for event in events:
        method, params = event["method"], event["params"]
        if method == "Network.requestWillBeSent":
            asked[params["requestId"]] = params["request"]["url"]
        elif method == "Network.responseReceived" and params["response"]["status"] >= 400:
            failed.append(params["response"]["url"])
        elif method == "Network.loadingFailed" and not params.get("canceled"):
            failed.append(asked.get(params["requestId"], "unknown"))
    return failed


def main(arguments: list[str] | None = None) -> int:
    """Check a site and say what was found; 1 if anything is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("site", type=Path, help="folder of the built site")
    site = parser.parse_args(arguments).site.resolve()
    if not (site / FRONT).is_file():
        parser.error(f"`site` must hold {FRONT}; got {site}; build the documentation first.")
    problems, n_followed = check_links(site)
    print(f"{n_followed} internal links, anchors and images followed, {len(problems)} broken")
    if missing := missing_tool():
        print(f"browser part left out: {missing} not found")
    else:
        more, pages = check_in_browser(site)
        print(f"opened in {BROWSER}: {', '.join(pages)}; {len(more)} problems")
        problems += more
    print("\n".join(problems), end="\n" * bool(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
