import pytest

from sculpt_plugin import covered
from sculpt_plugin.errors import TraceError


def coverage(*kinds, **more):
    """One layer of 10 parameters for each kind of coverage."""
    layers = [
        {"name": f"l{number}", "kind": "X", "parameters": 10, "coverage": kind}
        for number, kind in enumerate(kinds)
    ]
    shares = {k: kinds.count(k) / len(kinds) for k in ("exact", "approximated")}
    return {"parameters": 10 * len(kinds), **shares, "layers": layers, **more}


def test_a_model_covered_exactly_takes_one_line():
    assert list(covered.lines(coverage("exact", "exact"))) == [
        "covered: 100 % of 20 parameters exactly"
    ]


def test_what_is_not_exact_is_counted_and_listed():
    found = coverage("exact", "approximated", "not covered", "exact")
    found["layers"][2]["reason"] = "it is no layer"
    assert list(covered.lines(found)) == [
        "covered: 50.0 % of 40 parameters exactly, 25.0 % approximated, 25.0 % not",
        "  'l1' (X, 10 parameters) approximated",
        "  'l2' (X, 10 parameters) not covered: it is no layer",
    ]


def test_at_most_ten_layers_are_listed():
    *_, before, last = covered.lines(coverage(*["approximated"] * 13))
    assert before.startswith("  'l9' ")
    assert last == "  and 3 more; --json lists them all"


def test_less_than_all_is_never_called_100_per_cent():
    found = {**coverage("exact"), "exact": 0.99999, "approximated": 0.00001}
    assert "covered: 99.9 % of" in next(covered.lines(found))


def test_names_from_files_do_nothing_to_the_terminal():
    found = coverage("approximated")
    found["layers"][0]["name"] = "\x1b[31mred\n"
    assert all(line.isprintable() for line in covered.lines(found))


def test_a_check_against_the_model_is_told():
    counts = {"units": 1200, "columns": 34, "missed": 0, "unseen": 2, "where": []}
    assert list(covered.lines(coverage("exact", verified=counts)))[-1] == (
        "verified: 1,200 units changed, 34 layer inputs compared; 0 changed without an "
        "edge, 2 did not in spite of one"
    )


def test_strict_takes_what_is_exact():
    covered.check_exact(coverage("exact"))


def test_strict_names_the_first_layers_that_are_not_exact():
    found = coverage("exact", *["approximated"] * 5)
    with pytest.raises(
        TraceError, match=r"only 16\.7 % .*'l1'.*'l2'.*'l3'.* and 2 more"
    ):
        covered.check_exact(found)


def test_strict_refuses_a_layer_without_parameters_too():
    found = {**coverage("exact", "approximated"), "exact": 1.0, "approximated": 0.0}
    with pytest.raises(TraceError, match="'l1'"):
        covered.check_exact(found)


def test_a_graph_that_the_model_contradicts_is_refused():
    counts = {"units": 3, "columns": 3, "missed": 2, "unseen": 0, "where": ["\x1ba"]}
    with pytest.raises(
        TraceError, match=r"changed 2 layer inputs that no edge leads to, at '.x1ba'"
    ):
        covered.check_verified(coverage("exact", verified=counts))


def test_an_edge_that_changed_nothing_in_the_sample_is_no_fault():
    counts = {"units": 3, "columns": 3, "missed": 0, "unseen": 2, "where": []}
    covered.check_verified(coverage("exact", verified=counts))
