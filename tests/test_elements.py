"""Elements hold text, whatever the text holds."""

from html.parser import HTMLParser
from xml.etree.ElementTree import Element

import pytest
from report_pages import HOSTILE

from sculpt_plugin.interactive.elements import child, definitions, markup, section


class Reader(HTMLParser):
    """What a reader of HTML makes of it: tags with attributes, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list = []

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, attrs))

    def handle_data(self, data) -> None:
        self.found.append(data)


@pytest.mark.parametrize("name", HOSTILE)
def test_text_and_attributes_are_read_back_as_they_were(name: str) -> None:
    page = Element("main")
    child(page, "p", name, attributes={"title": name})
    reader = Reader()
    reader.feed(markup(page))
    assert reader.found == [("main", []), ("p", [("title", name)]), name]


def test_a_quotation_mark_does_not_end_an_attribute() -> None:
    page = Element("main")
    child(page, "p", attributes={"title": '" onload="x'})
    assert markup(page) == '<main><p title="&quot; onload=&quot;x"></p></main>'


def test_a_section_is_labelled_by_its_heading() -> None:
    page = Element("main")
    found = section(page, "words", "Words & more")
    assert found.attrib == {"aria-labelledby": "words"}
    assert markup(page[0][0]) == '<h2 id="words">Words &amp; more</h2>'


def test_terms_keep_their_order() -> None:
    page = Element("main")
    definitions(page, {"b": "1", "a": "2"})
    assert [term.text for term in page.iter("dt")] == ["b", "a"]
