"""What a report rests on, and how it was made."""

from xml.etree.ElementTree import Element

import numpy as np
import pytest
from report_pages import HOSTILE, tower

from sculpt_plugin.analysis.consensus import consensus
from sculpt_plugin.interactive.grounds import evidence, glossary, provenance
from sculpt_plugin.interactive.words import WORDS
from sculpt_plugin.report import Report

COVERED = {"coverage": {"exact": 1.0, "parameters": 12}, "layers": [0, 0]}


def text_of(said: dict) -> str:
    page = Element("main")
    evidence(page, said)
    return "\n".join(page.itertext())


def test_coverage_is_that_of_the_terminal() -> None:
    layer = {"name": HOSTILE[2], "kind": "LSTM", "parameters": 6}
    layer |= {"coverage": "approximated", "reason": "folds the steps of time together"}
    coverage = {"exact": 0.5, "approximated": 0.5, "parameters": 12, "layers": [layer]}
    found = text_of({"coverage": coverage})
    assert "covered: 50.0 % of 12 parameters exactly, 50.0 % approximated" in found
    assert "folds the steps of time together" in found
    assert "\u202e" not in found


def test_a_graph_without_a_model_says_so() -> None:
    assert "given without a model" in text_of({"coverage": {}})


def test_what_a_verified_report_found_is_said() -> None:
    counts = {"units": 4, "columns": 9, "missed": 0, "unseen": 1}
    coverage = COVERED["coverage"] | {"verified": counts}
    assert "4 units changed" in text_of({"coverage": coverage})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("approximations", [{"rows": 9_000}], "1 of 2 layers, with up to 9,000"),
        (
            "second_opinion",
            {"modularity": {"louvain": 0.5}, "adjusted_rand_index": 0.25},
            "(adjusted Rand index): 0.250",
        ),
    ],
)
def test_what_is_not_exact_and_what_others_say(key: str, value, said: str) -> None:
    assert said not in text_of(COVERED)
    assert said in text_of(COVERED | {key: value})


def test_a_network_without_witnesses_is_one_witness() -> None:
    assert "witnesses: this network alone" in text_of(COVERED)


def test_a_consensus_is_summed_up() -> None:
    report = tower()
    heard = consensus([(report.graph, report.hierarchy)] * 3)
    said = Report(
        report.graph,
        report.hierarchy,
        report.settings,
        {"coverage": COVERED["coverage"], "consensus": heard},
    ).to_dict()
    assert "witnesses: 3 networks; they agree on the inputs by 1.00" in text_of(said)


def test_settings_and_versions_are_listed() -> None:
    page = Element("main")
    provenance(page, tower().to_dict())
    found = [term.text for term in page.iter("dt")]
    assert found[:2] == ["hops", "method"]
    assert "torch" in found
    assert next(page.iter("dd")).text == "to the outputs"


def test_every_word_has_one_line() -> None:
    page = Element("main")
    glossary(page)
    assert [term.text for term in page.iter("dt")] == list(WORDS)
    longest = max(len(line) for line in WORDS.values())
    assert np.all([line.endswith(".") for line in WORDS.values()])
    assert longest < 160
