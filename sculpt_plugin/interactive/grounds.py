"""What a report rests on, how it was made, and what its words mean."""

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from sculpt_plugin import covered
from sculpt_plugin.exporting.spelling import spelled
from sculpt_plugin.interactive.elements import child, definitions, section
from sculpt_plugin.interactive.words import CAVEATS, WORDS


def evidence(parent: Element, said: Mapping[str, Any]) -> None:
    """Add what the report rests on, as far as it is known.

    Args:
        parent: Where it goes.
        said: The report, as `Report.to_dict` gives it.

    Example:
        >>> page = Element("main")
        >>> evidence(page, {"coverage": {"exact": 1.0, "parameters": 12}})
        >>> page[0][1].text
        'covered: 100 % of 12 parameters exactly'
    """
    place = section(parent, "evidence", "How sure is it?")
    for line in (*_coverage(said["coverage"]), *_others(said)):
        child(place, "p", spelled(line), attributes={"class": "evidence"})
    child(place, "h3", "What it cannot tell")
    notes = child(place, "ul")
    for text in CAVEATS:
        child(notes, "li", text)


def provenance(parent: Element, said: Mapping[str, Any]) -> None:
    """Add how the report was made: settings and versions.

    Args:
        parent: Where it goes.
        said: The report, as `Report.to_dict` gives it.

    Example:
        >>> page = Element("main")
        >>> provenance(page, {"settings": {"hops": None}, "versions": {}})
        >>> page[0][1][0][1][0][1].text
        'to the outputs'
    """
    place = section(parent, "provenance", "How it was made")
    settings = dict(said["settings"])
    if settings.get("hops", 0) is None:
        settings["hops"] = "to the outputs"
    pair = child(place, "div", attributes={"class": "pair"})
    for title, found in (("Settings", settings), ("Versions", said["versions"])):
        half = child(pair, "div")
        child(half, "h3", title)
        texts = {
            spelled(str(name)).replace("_", " "): spelled(str(value))
            for name, value in found.items()
        }
        definitions(half, texts)


def glossary(parent: Element) -> None:
    """Add what the words mean.

    Args:
        parent: Where it goes.

    Example:
        >>> page = Element("main")
        >>> glossary(page)
        >>> page[0][0].text
        'What the words mean'
    """
    definitions(section(parent, "words", "What the words mean"), WORDS, kind="words")


def _coverage(coverage: Mapping[str, Any]) -> Iterator[str]:
    """Say how much of a model the graph stands for."""
    if "exact" in coverage:
        yield from (line.strip() for line in covered.lines(coverage))
    else:
        yield (
            "The graph was given without a model, so nothing is known of what it "
            "leaves out."
        )


def _others(said: Mapping[str, Any]) -> Iterator[str]:
    """Say what was approximated, and what others make of the network."""
    layers = said.get("approximations", [])
    if layers:
        rows = max(layer["rows"] for layer in layers)
        yield (
            f"approximated: {len(layers)} of {len(said['layers'])} layers, with up to "
            f"{rows:,} different rows, are compared in groups: take them as a sketch"
        )
    found = said.get("second_opinion")
    if found is not None:
        scores = (f"{name} {score:.3f}" for name, score in found["modularity"].items())
        yield f"modularity: {', '.join(scores)}"
        index = found["adjusted_rand_index"]
        yield f"agreement of the two methods (adjusted Rand index): {index:.3f}"
    votes = said.get("consensus")
    if votes is None:
        yield "witnesses: this network alone"
    else:
        yield (
            f"witnesses: {votes['witnesses']:,} networks; they agree on the inputs by "
            f"{votes['inputs']['agreement']:.2f} and on the outputs by "
            f"{votes['outputs']['agreement']:.2f} (1 is all alike), and most of them "
            f"share {len(votes['modules']):,} modules"
        )
