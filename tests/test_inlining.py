"""What stands inside a page can neither end its element nor ask for anything."""

import base64
import hashlib
import json

import pytest
from report_pages import HOSTILE

from sculpt_plugin.interactive.inlining import data_text, kept_text, policy


@pytest.mark.parametrize("name", HOSTILE)
def test_data_come_back_as_they_were(name: str) -> None:
    data = {"names": [name], name: 1.5, "none": None}
    assert json.loads(data_text(data)) == data


@pytest.mark.parametrize("name", [*HOSTILE, "\u2028\u2029", "]]>", "\ud800"])
def test_data_hold_nothing_that_html_or_javascript_reads(name: str) -> None:
    text = data_text([name])
    assert text.isascii()
    assert not set("<>&\n") & set(text)


def test_numbers_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        data_text([float("nan")])


def test_the_policy_names_both_texts_by_their_hashes() -> None:
    rules = dict(rule.split(" ", 1) for rule in policy("a{}", "b()").split("; "))
    assert rules["default-src"] == "'none'"
    for rule, text in (("style-src", b"a{}"), ("script-src", b"b()")):
        digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_files_are_joined_in_the_order_of_their_names() -> None:
    text = kept_text("theme.js", "graph.js")
    assert text == kept_text("theme.js") + "\n" + kept_text("graph.js")
    assert "\r" not in text
