"""The page answers pointing, clicking, typing and dragging in a real browser."""

import pytest
from opened_pages import By, Keys, Opened, driver, folder, needs_browser, opened

__all__ = ["driver", "folder", "opened"]  # fixtures

pytestmark = needs_browser


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
