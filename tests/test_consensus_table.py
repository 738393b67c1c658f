"""The table says which groups and modules most networks stand for."""

import io

import pytest
from rich.console import Console
from test_comodules_ink import two_witnesses_of_three

from sculpt_plugin.drawing.consensus_table import consensus_table


@pytest.fixture
def printed() -> str:
    console = Console(width=100, color_system=None, file=io.StringIO())
    console.print(consensus_table(two_witnesses_of_three()))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_table_counts_the_networks_and_names_the_nearest(printed: str) -> None:
    assert "Consensus of 3 networks" in printed
    assert "network 0 of 0-2 is nearest to all" in printed


@pytest.mark.parametrize(
    "words", ["inputs 0.33 x0, x1 83% x2, x3 83%", "outputs 0.33 y0 83% y1 83%"]
)
def test_each_group_has_a_row_with_its_confidence(printed: str, words: str) -> None:
    assert words in " ".join(printed.replace("│", " ").split())


def test_each_shared_module_has_a_row_with_its_share(printed: str) -> None:
    plain = " ".join(printed.replace("│", " ").split())
    assert "S0 0 67% x0, x1 y0 S1 0 67% x2, x3 y1" in plain
