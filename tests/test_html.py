"""A report as one file, before any browser has seen it."""

import json
import re

import pytest
from report_pages import HOSTILE, lump, rows, tower

from sculpt_plugin import html
from sculpt_plugin.errors import ExportError
from sculpt_plugin.interactive.inlining import policy


def part(page: str, pattern: str) -> str:
    found = re.findall(pattern, page, re.DOTALL)
    assert len(found) == 1
    return found[0]


def embedded(page: str) -> dict:
    return json.loads(
        part(page, r'<script type="application/json"[^>]*>(.*?)</script>')
    )


def test_a_page_names_no_other_place() -> None:
    page = html.page(tower())
    addresses = re.findall(r"(?:https?:)?//[\w.]+[^\s\"']*", page)
    # Not places but the names of a language.
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:script|img|iframe|object)[^>]*\ssrc=", page)
    assert re.findall(r"<link[^>]*>", page) == ['<link rel="icon" href="data:,">']
    assert "@import" not in page
    assert "url(" not in page


def test_the_policy_fits_the_style_and_the_script() -> None:
    page = html.page(tower())
    style = part(page, r"<style>(.*?)</style>")
    script = part(page, r'<script type="module">(.*?)</script>')
    assert f'content="{policy(style, script)}"' in page


def test_nothing_in_the_page_needs_a_style_or_handler_of_its_own() -> None:
    page = html.page(tower())
    body = part(page, r"<body>(.*?)<script")
    assert not re.search(r"\s(?:style|on\w+)=", body)


def test_hostile_names_end_no_element() -> None:
    page = html.page(tower(names=("inputs", *HOSTILE[:3])), title=HOSTILE[0])
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    assert "<!--" not in page
    assert "\u2028" not in page
    assert embedded(page)["network"]["layers"][1]["name"] == HOSTILE[0]


def test_a_page_of_5000_edges_is_small() -> None:
    report = rows(width=500, fan=4, depth=4)
    assert report.graph.edge_count == 6_000
    assert len(html.page(report).encode()) < 300_000


def test_a_page_of_100000_units_is_small_and_has_no_unit() -> None:
    report = rows(width=25_000, fan=2, parts=1_000)
    page = html.page(report)
    assert len(page.encode()) < 400_000
    found = embedded(page)
    assert found["network"] is None
    assert found["opens"] == "modules"
    assert "100,000 live units" in found["why"]
    assert len(found["modules"]) == 300


@pytest.mark.parametrize(
    ("made", "opens"), [(tower, "units"), (lambda: rows(width=1_100), "modules")]
)
def test_large_networks_open_with_their_modules(made, opens: str) -> None:
    found = embedded(html.page(made()))
    assert found["opens"] == opens
    assert found["network"] is not None
    assert bool(found["why"]) is (opens == "modules")


def test_no_structure_is_said_plainly() -> None:
    assert "No structure here: all live units are one module." in html.page(lump())


def test_equal_reports_give_equal_pages() -> None:
    assert html.page(tower()) == html.page(tower())


def test_the_file_holds_the_page(tmp_path) -> None:
    path = tmp_path / "report.html"
    html.write(tower(), path, title="Grüße")
    assert path.read_bytes().decode("utf-8") == html.page(tower(), title="Grüße")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("report.pdf", r"must end in \.html or \.htm, got 'report\.pdf': rename it"),
        ("no/report.html", r"must be in a folder that exists"),
    ],
)
def test_a_place_that_is_none_is_refused(tmp_path, name: str, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        html.write(tower(), tmp_path / name)


def test_half_a_surrogate_pair_in_a_title_does_not_stop_the_page(tmp_path) -> None:
    html.write(tower(), tmp_path / "report.html", title="a\ud800b\x00")
    assert "a\\ud800b\\x00" in (tmp_path / "report.html").read_text("utf-8")
