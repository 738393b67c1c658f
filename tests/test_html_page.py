"""The page at work in a real browser."""

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from report_pages import HOSTILE, lump, rows, tower

from sculpt_plugin import html

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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
    assert [entry["message"] for entry in driver.get_log("browser")] == []


def test_every_live_unit_edge_and_module_is_drawn(opened: Opened) -> None:
    page = opened("tower")
    assert page.units_shown() == set(range(10))
    assert page.ask("document.querySelectorAll('.outlines .box').length") == 4
    paths = "[...document.querySelectorAll('.edges path')]"
    lines = f"{paths}.map((path) => path.getAttribute('d')).join('').split('M')"
    assert page.ask(f"{lines}.length - 1") == 9


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_but_itself(opened: Opened, name: str) -> None:
    page = opened(name)
    logs = [entry["message"] for entry in page.driver.get_log("performance")]
    asked = [log for log in logs if "Network.requestWillBeSent" in log]
    assert any(f"{name}.html" in log for log in asked)
    assert all(f"{name}.html" in log or '"url":"data:' in log for log in asked)
    assert page.one("#drawing").is_displayed()


def test_pointing_at_a_unit_shows_its_paths(opened: Opened) -> None:
    page = opened("tower")
    page.mouse().move_to_element(page.unit(6)).perform()
    assert page.text("#details h3") == "layer 2[0]"
    assert page.paths_shown() == 7
    assert "x0, x1, x2, x3" in page.text("#details")
    page.mouse().move_to_element(page.unit(7)).perform()
    assert page.paths_shown() == 4
    page.mouse().move_to_element(page.one("h1")).perform()
    assert page.paths_shown() == 0


def test_focus_shows_the_paths_of_a_unit_as_well(opened: Opened) -> None:
    page = opened("tower")
    page.ask("arguments[0].focus()", page.unit(9))
    assert page.paths_shown() == 4
    assert page.one(".ring").get_attribute("visibility") == "visible"


def test_a_click_on_a_module_leaves_what_it_reads_and_feeds(opened: Opened) -> None:
    page = opened("tower")
    page.mouse().move_to_element(page.one('[data-module="3"] .module-name')).perform()
    page.mouse().click().perform()
    assert page.units_shown() == {2, 3, 5, 7, 9}
    assert page.text("#details h3") == "Module M3"
    assert "M1" in page.text("#details")
    page.one("#show-all").click()
    assert page.units_shown() == set(range(10))


@pytest.mark.parametrize(("module", "unit"), [(3, 5), (0, 8)])
def test_paths_stay_within_the_module_that_is_alone(
    opened: Opened, module: int, unit: int
) -> None:
    page = opened("tower")
    page.one(f'tr[data-module="{module}"] button').click()
    page.ask("arguments[0].focus()", page.unit(unit))
    assert page.paths_shown() == 4


def test_the_module_of_a_clicked_unit_is_a_click_away(opened: Opened) -> None:
    page = opened("tower")
    page.mouse().move_to_element(page.unit(9)).click().perform()
    page.one("#details .module-link").click()
    assert page.units_shown() == {2, 3, 5, 7, 9}


def test_the_focus_stays_beside_the_picture_when_its_buttons_change(
    opened: Opened,
) -> None:
    page = opened("tower")
    page.one('tr[data-module="3"] button').click()
    page.ask("arguments[0].focus()", page.one("#details .module-link"))
    page.press(Keys.ENTER)
    assert page.driver.switch_to.active_element.text == "Module M1"


def test_units_collapse_to_modules_and_expand_again(opened: Opened) -> None:
    page = opened("tower")
    page.one("#show-modules").click()
    assert page.units_shown() == set()
    assert page.ask("document.querySelectorAll('.node:not(.away)').length") == 4
    assert page.ask("document.querySelectorAll('.arrow:not(.away)').length") == 3
    page.one("#show-units").click()
    assert page.units_shown() == set(range(10))


def test_a_module_of_the_hierarchy_shows_its_units(opened: Opened) -> None:
    page = opened("tower")
    page.one("#show-modules").click()
    page.mouse().move_to_element(page.one('.node[data-module="3"]')).click().perform()
    left = "[...document.querySelectorAll('.node:not(.away)')]"
    assert page.ask(f"{left}.map((node) => node.dataset.module)") == ["1", "3"]
    page.one(".buttons button").click()
    assert page.units_shown() == {2, 3, 5, 7, 9}


@pytest.mark.parametrize(("typed", "unit", "paths"), [("X2", "2", 5), ("1[0]", "4", 4)])
def test_search_finds_a_unit_by_name(
    opened: Opened, typed: str, unit: str, paths: int
) -> None:
    page = opened("tower")
    page.one("#search").send_keys(typed, Keys.ENTER)
    assert page.focused() == unit
    assert page.paths_shown() == paths


def test_search_finds_a_module_by_name(opened: Opened) -> None:
    page = opened("tower")
    page.one("#search").send_keys("m3")
    assert [x.text for x in page.driver.find_elements(By.CSS_SELECTOR, "#found b")] == [
        "M3"
    ]
    page.one("#found .entry").click()
    assert page.units_shown() == {2, 3, 5, 7, 9}


def test_search_says_when_there_is_nothing(opened: Opened) -> None:
    page = opened("tower")
    page.one("#search").send_keys("y2")  # which is dead
    assert page.text("#found") == "Nothing of that name is alive here."


def test_found_names_are_chosen_with_the_arrow_keys(opened: Opened) -> None:
    page = opened("tower")
    page.one("#search").send_keys("layer 1", Keys.DOWN, Keys.DOWN)
    current = page.one("#search").get_attribute("aria-activedescendant")
    assert page.one(f"#{current}").get_attribute("aria-selected") == "true"
    page.press(Keys.ENTER)
    assert page.focused() == "5"


@pytest.mark.parametrize(
    ("keys", "unit"),
    [
        ([Keys.ARROW_RIGHT], "1"),
        ([Keys.END], "3"),
        ([Keys.ARROW_UP], "4"),
        ([Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_UP], "8"),
        ([Keys.END, Keys.ARROW_UP], "5"),
        ([Keys.END, Keys.ARROW_UP, Keys.ARROW_DOWN, Keys.HOME], "0"),
        ([Keys.ARROW_LEFT], "0"),
    ],
)
def test_arrow_keys_move_along_rows_and_edges(
    opened: Opened, keys: list[str], unit: str
) -> None:
    page = opened("tower")
    page.ask("arguments[0].focus()", page.unit(0))
    page.press(*keys)
    assert page.focused() == unit


def test_the_picture_is_one_stop_of_the_tab_key(opened: Opened) -> None:
    page = opened("tower")
    stops = "document.querySelectorAll('#picture [tabindex=\"0\"]').length"
    assert page.ask(stops) == 1
    page.ask("arguments[0].focus()", page.one("#show-all"))
    page.press(Keys.TAB)
    assert page.focused() == "0"
    page.press(Keys.END)
    assert page.ask(stops) == 1
    page.one('tr[data-module="0"] button').click()  # where the last input is hidden
    page.one("#show-all").click()
    assert page.ask(stops) == 1


def test_enter_isolates_c_collapses_and_escape_shows_all(opened: Opened) -> None:
    page = opened("tower")
    page.ask("arguments[0].focus()", page.unit(9))
    page.press(Keys.ENTER)
    assert page.units_shown() == {2, 3, 5, 7, 9}
    page.press("c")
    assert page.driver.switch_to.active_element.get_attribute("data-module") == "3"
    page.press("c", Keys.ESCAPE)
    assert page.units_shown() == set(range(10))


def test_zoom_and_fit(opened: Opened) -> None:
    page = opened("tower")
    fitted = page.move()
    page.one("#zoom-in").click()
    assert page.move() != fitted
    page.one("#fit").click()
    assert page.move() == fitted


@pytest.mark.parametrize("far", [1, 30])
def test_a_drag_moves_the_picture_and_a_trembling_click_does_not(
    opened: Opened, far: int
) -> None:
    page = opened("tower")
    page.one('tr[data-module="3"] button').click()
    before = page.move()
    name = page.one('[data-module="1"] .module-name')
    page.mouse().move_to_element(name).click_and_hold().move_by_offset(far, 0).perform()
    page.mouse().release().perform()
    assert (page.move() != before) is (far > 1)
    alone = page.text("#details h3")
    assert alone == ("Module M3" if far > 1 else "Module M1")


@pytest.mark.parametrize("held", [True, False])
def test_only_ctrl_and_wheel_zoom(opened: Opened, held: bool) -> None:
    page = opened("tower")
    before = page.move()
    turn = """document.getElementById("picture").dispatchEvent(
        new WheelEvent("wheel", {deltaY: -100, ctrlKey: arguments[0],
        clientX: 300, clientY: 300, cancelable: true}))"""
    assert page.ask(turn, held) is not held  # the page scrolls if it is not prevented
    assert (page.move() != before) is held


def test_hostile_names_stay_text(opened: Opened) -> None:
    page = opened("hostile")
    rows = "[...document.querySelectorAll('.row-name')].map((x) => x.textContent)"
    assert any(row.startswith("</script>") for row in page.ask(rows))
    page.one("#search").send_keys("<img", Keys.ENTER)
    page.one("#show-modules").click()
    page.one('tr[data-module="2"] button').click()
    assert page.ask("window.broken") is None
    assert page.ask("document.querySelectorAll('img, h1 b, svg svg').length") == 0
    assert page.ask("document.scripts.length") == 2
    assert HOSTILE[0] in page.text("tbody")
    assert HOSTILE[1] in page.text("#details")
    assert "\\u202e" in page.text("tbody")
    assert page.text("h1") == "hostile <b>model</b>"


def test_the_browser_would_refuse_a_script_that_got_in(driver, opened: Opened) -> None:
    page = opened("tower")
    page.ask(
        """(() => { const script = document.createElement("script");
        script.textContent = "window.broken = 1"; document.body.append(script); })()"""
    )
    assert page.ask("window.broken") is None
    assert "Content Security Policy" in driver.get_log("browser")[0]["message"]


def test_one_module_is_called_no_structure(opened: Opened) -> None:
    page = opened("lump")
    assert page.text(".headline").startswith("No structure here")
    assert page.units_shown() == set(range(5))


def test_a_large_network_opens_collapsed(opened: Opened) -> None:
    page = opened("large")
    assert page.one("#show-modules").get_attribute("aria-pressed") == "true"
    assert "large network" in page.text("#why")
    page.one("#show-units").click()
    assert len(page.units_shown()) == 4_400


def test_a_module_of_a_large_network_opens_alone(opened: Opened) -> None:
    page = opened("large")
    page.one('tr[data-module="3"] button').click()
    page.one(".buttons button").click()
    assert len(page.units_shown()) == 440


def test_a_huge_network_has_its_modules_and_says_why(opened: Opened) -> None:
    page = opened("huge")
    assert "24,000 live units" in page.text("#why")
    assert not page.one("#show-units").is_enabled()
    assert page.ask("document.querySelectorAll('.node').length") == 10


def background(page: Page) -> str:
    return page.ask("getComputedStyle(document.body).backgroundColor")


def test_the_system_chooses_light_or_dark_until_the_reader_does(opened: Opened) -> None:
    light = background(opened("tower"))
    page = opened("tower", dark=True)
    dark = background(page)
    assert dark != light
    page.one("#theme").click()
    assert background(page) == light
    page.one("#theme").click()
    assert background(page) == dark


# Contrast of all visible words with what is behind them, after WCAG 2.
CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d",
    {willReadFrequently: true});
  const levels = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = levels(colour).slice(0, 3).map((x) => x / 255)
      .map((x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    for (let place = element; place; place = place.parentElement) {
      const box = place.querySelector(":scope > .box");
      const colour = box && element !== box ? getComputedStyle(box).fill
        : getComputedStyle(place).backgroundColor;
      if (levels(colour)[3]) return colour;
    }
    return "white";
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((x) => x.nodeType === 3 && x.data.trim());
    if (!own || !element.getBoundingClientRect().width || element.disabled) continue;
    if (["SCRIPT", "NOSCRIPT", "title"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const value = ratio(colour, behind(element));
    if (value < 4.5) found.push([element.textContent, value]);
  }
  const shapes = "#picture .box, #picture circle, #picture .head, #picture .shaft";
  for (const box of document.querySelectorAll(shapes)) {
    if (!box.getBoundingClientRect().width) continue;
    const place = box.parentElement.parentElement;
    const { stroke, fill } = getComputedStyle(box);
    const value = ratio(stroke === "none" ? fill : stroke, behind(place));
    if (value < 3) found.push([box.parentElement.dataset.module, value]);
  }
  return found;
})()"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["many", "tower"])
@pytest.mark.parametrize("view", ["units", "modules"])
def test_all_words_and_shapes_stand_out(
    opened: Opened, dark: bool, view: str, name: str
) -> None:
    page = opened(name, dark=dark)
    page.one(f"#show-{view}").click()
    assert page.ask(CONTRAST) == []
    page.one('tr[data-module="1"] button').click()
    assert page.ask(CONTRAST) == []


def test_what_can_be_pressed_has_a_name(opened: Opened) -> None:
    page = opened("tower")
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"button", "combobox", "application", "region"}
    found = [
        (node["role"]["value"], node["name"]["value"])
        for node in tree
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert len([role for role, _ in found if role == "button"]) >= 20
    assert all(name for _, name in found)
    assert ("button", "x2 in M1") in found


def test_a_narrow_window_scrolls_down_only(opened: Opened) -> None:
    page = opened("hostile", width=400)
    assert page.ask("document.documentElement.scrollWidth") <= 400


def test_paper_has_the_picture_and_no_tools(opened: Opened) -> None:
    page = opened("tower", dark=True, media="print")
    assert background(page) == "rgb(255, 255, 255)"
    assert page.one("#picture").is_displayed()
    assert not page.one(".toolbar").is_displayed()
    assert not page.one("#theme").is_displayed()


def test_printing_scales_the_picture_and_gives_it_back(opened: Opened) -> None:
    page = opened("tower")
    page.one("#zoom-in").click()
    before = page.move()
    scaled = "document.getElementById('picture').hasAttribute('viewBox')"
    page.ask("window.dispatchEvent(new Event('beforeprint'))")
    assert page.ask(scaled)
    assert page.move() != before  # all of it is printed
    page.ask("window.dispatchEvent(new Event('afterprint'))")
    assert not page.ask(scaled)
    assert page.move() == before
    printed = page.driver.execute_cdp_cmd("Page.printToPDF", {})["data"]
    assert base64.b64decode(printed).startswith(b"%PDF")


def test_a_reader_without_scripts_still_has_the_words(driver, opened: Opened) -> None:
    switch = "Emulation.setScriptExecutionDisabled"
    driver.execute_cdp_cmd(switch, {"value": True})
    try:
        page = opened("tower")
        assert "M3" in page.text("tbody")
        assert "switched off" in page.text("noscript")
        assert not page.one("#drawing").is_displayed()
    finally:
        driver.execute_cdp_cmd(switch, {"value": False})
