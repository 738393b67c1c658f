"""Pages opened in a real browser, and what a reader sees of them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from report_pages import HOSTILE, lump, rows, tower

from sculpt_plugin import html

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

__all__ = [
    "PAGES",
    "By",
    "Keys",
    "Opened",
    "Page",
    "driver",
    "folder",
    "needs_browser",
    "opened",
]

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="chromium and chromedriver are not installed"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)
PAGES = {
    "tower": tower,
    "hostile": lambda: tower(names=("inputs", *HOSTILE[:3])),
    "lump": lump,
    "many": lambda: rows(width=40, parts=20),
    "large": lambda: rows(width=1_100),
    "huge": lambda: rows(width=6_000),
}
Opened = Callable[..., "Page"]


class Page:
    """A page in the browser, and what a reader sees of it."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def ask(self, code: str, *values):
        return self.driver.execute_script(f"return {code}", *values)

    def one(self, selector: str):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.one(selector).text

    def unit(self, number: int):
        return self.one(f'circle[data-unit="{number}"]')

    def press(self, *keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(*keys)

    def mouse(self):
        return webdriver.ActionChains(self.driver, duration=0)

    def units_shown(self) -> set[int]:
        code = """[...document.querySelectorAll("circle[data-unit]")]
            .filter((dot) => dot.getBoundingClientRect().width)
            .map((dot) => Number(dot.dataset.unit))"""
        return set(self.ask(code))

    def paths_shown(self) -> int:
        """How many edges are drawn as the paths of the unit that is pointed at."""
        code = """[...document.querySelectorAll(".traced path")]
            .reduce((sum, path) => sum + path.getAttribute("d").split("M").length - 1,
            0)"""
        return self.ask(code)

    def focused(self) -> str | None:
        return self.driver.switch_to.active_element.get_attribute("data-unit")

    def move(self) -> str:
        return self.one(".scene").get_attribute("transform")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    service = webdriver.ChromeService(DRIVER)
    started = webdriver.Chrome(options=options, service=service)
    yield started
    started.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for name, made in PAGES.items():
        html.write(made(), folder / f"{name}.html", title=f"{name} <b>model</b>")
    return folder


@pytest.fixture
def opened(driver, folder: Path) -> Iterator[Opened]:
    def open_page(
        name: str, *, width: int = 1400, dark: bool = False, media=""
    ) -> Page:
        sizes = {"width": width, "height": 1000, "deviceScaleFactor": 1}
        sizes["mobile"] = False
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        emulated = {"media": media, "features": [theme]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
        for kind in ("browser", "performance"):
            driver.get_log(kind)
        driver.get((folder / f"{name}.html").as_uri())
        return Page(driver)

    yield open_page
    # Whatever a test did, the page did not complain.
    complaints = [entry["message"] for entry in driver.get_log("browser")]
    assert complaints == [], complaints
