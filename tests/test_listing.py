"""Numbered things are listed as other names are, only sooner."""

import numpy as np
import pytest

from sculpt_plugin.drawing.naming import abbreviated
from sculpt_plugin.interactive.listing import numbered


@pytest.mark.parametrize("room", [1, 4, 7, 20, 70, 240])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 1.0])
def test_the_list_is_the_one_of_all_names(room: int, share: float) -> None:
    numbers = np.flatnonzero(np.random.random(300) < share).tolist()
    names = [f"x{number}" for number in numbers]
    assert numbered("x", numbers, room=room) == abbreviated(names, room=room)


def test_nothing_is_listed_as_nothing() -> None:
    assert numbered("x", (), room=9) == ""
