"""What the page shows in a real browser, to whom, and what it keeps out."""

import base64

import pytest
from opened_pages import (
    PAGES,
    Keys,
    Opened,
    Page,
    driver,
    folder,
    needs_browser,
    opened,
)
from report_pages import HOSTILE

__all__ = ["driver", "folder", "opened"]  # fixtures

pytestmark = needs_browser


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
