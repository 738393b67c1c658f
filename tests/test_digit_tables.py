import io
import json

import pytest
from rich.console import Console

from sculpt_plugin.reproducing.digit_results import DigitRow
from sculpt_plugin.reproducing.digit_tables import (
    digits_to_json,
    digits_to_markdown,
    digits_to_terminal,
)

WIDE = DigitRow(
    task="digits-hierarchical",
    hidden=(784,) * 5,
    networks=4,
    inputs=0.75,
    on_their_side=0.9995,
    outputs=1.0,
    middle=0.5,
    vote=True,
    dense_score=0.9712,
    density=0.00047,
    sparsest=0.00045,
    seconds=131.7,
)
PAIR = DigitRow(
    task="digits-pair",
    hidden=(392, 392),
    networks=3,
    inputs=1.0,
    on_their_side=1.0,
    outputs=1.0,
    middle=1.0,
    vote=False,
    dense_score=0.97,
    density=0.002,
    sparsest=0.001,
    seconds=252.0,
)


@pytest.mark.parametrize("width", [80, 200])
def test_the_terminal_shows_every_figure_whole(width):
    file = io.StringIO()
    Console(file=file, width=width).print(digits_to_terminal([WIDE, PAIR]))
    rows = [line.split() for line in file.getvalue().splitlines()]
    hidden = "784-784-784-784-784"
    # In brackets what the paper has for five layers.
    found = [hidden, "0.75", "(1.0)", "1.00", "(0.92)", "0.50", "(0.02)"]
    assert [*found, "right", "99.95%"] in rows
    left = [hidden, "4", "0.9712", "0.047%", "0.045%", "(0.05%)", "132"]
    assert left in rows
    assert ["392-392", "1.00", "1.00", "1.00", "wrong", "100.00%"] in rows
    assert ["392-392", "3", "0.9700", "0.200%", "0.100%", "252"] in rows


def test_markdown_has_a_line_for_each_shape_and_the_command():
    text = digits_to_markdown([WIDE, PAIR], command="sculpt reproduce digits")
    assert text.startswith("Made by `sculpt reproduce digits`.")
    assert text.splitlines()[-1] == (
        "| digits-pair | 392-392 | 3 | 1.00 | 1.00 | 1.00 | wrong | 100.00% | 0.9700 | "
        "0.200% | 0.100% | 252 |"
    )


def test_json_has_the_rows_as_they_are():
    found = json.loads(digits_to_json([WIDE, PAIR]))
    rows = [DigitRow(**row | {"hidden": tuple(row["hidden"])}) for row in found["rows"]]
    assert rows == [WIDE, PAIR]
    assert found["paper"]["density"]["5"] == 0.0005
