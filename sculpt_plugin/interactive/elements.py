"""HTML elements made from text, in which nothing is ever taken for markup."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

Row = tuple[str, ...]


def child(
    parent: Element,
    tag: str,
    text: str = "",
    *,
    attributes: Mapping[str, str] | None = None,
) -> Element:
    """Add an element to another one.

    Args:
        parent: Where it goes, behind what is there already.
        tag: Its tag, as `p`.
        text: What it says. It is escaped, whatever it holds.
        attributes: Names to values, escaped as well.

    Returns:
        The new element.

    Example:
        >>> page = Element("main")
        >>> _ = child(page, "p", "<b>", attributes={"title": '"'})
        >>> markup(page)
        '<main><p title="&quot;">&lt;b&gt;</p></main>'
    """
    element = SubElement(parent, tag, dict(attributes or {}))
    element.text = text
    return element


def section(parent: Element, name: str, title: str) -> Element:
    """Add a section with a heading, which a link to `#name` leads to.

    Args:
        parent: Where it goes.
        name: Its name, unique on the page.
        title: Its heading.

    Returns:
        The section, for what follows the heading.

    Example:
        >>> page = Element("main")
        >>> _ = section(page, "words", "Words")
        >>> markup(page[0][0])
        '<h2 id="words">Words</h2>'
    """
    found = child(parent, "section", attributes={"aria-labelledby": name})
    child(found, "h2", title, attributes={"id": name})
    return found


def definitions(
    parent: Element, pairs: Mapping[str, str], *, kind: str = "facts"
) -> None:
    """Add a list of terms and what they stand for.

    Args:
        parent: Where it goes.
        pairs: Term to text.
        kind: Its class, for the style sheet.

    Example:
        >>> page = Element("main")
        >>> definitions(page, {"edges": "3"})
        >>> markup(page[0])
        '<dl class="facts"><div><dt>edges</dt><dd>3</dd></div></dl>'
    """
    table = child(parent, "dl", attributes={"class": kind})
    for term, text in pairs.items():
        pair = child(table, "div")
        child(pair, "dt", term)
        child(pair, "dd", text)


def markup(element: Element) -> str:
    """Give an element as HTML.

    Args:
        element: The element, with all that is in it.

    Returns:
        The markup.

    Example:
        >>> markup(Element("br"))
        '<br>'
    """
    return tostring(element, encoding="unicode", method="html")
