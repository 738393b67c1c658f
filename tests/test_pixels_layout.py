"""Pixels lie where they were in their image; images stand apart on the page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculpt_plugin.drawing.pixels_layout import lay_out, place_images


@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 12))
def test_every_pixel_has_a_place_of_its_own_in_the_frame_of_its_channel(
    channels: int, height: int, width: int
) -> None:
    mosaic = lay_out((channels, height, width))
    places = set(zip(mosaic.row.tolist(), mosaic.column.tolist(), strict=True))
    assert len(places) == channels * height * width == len(mosaic.row)
    for channel, (left, top, columns, rows) in enumerate(mosaic.frames):
        own = slice(channel * height * width, (channel + 1) * height * width)
        inside = np.arange(height * width)
        np.testing.assert_array_equal(mosaic.row[own] - top, inside // width)
        np.testing.assert_array_equal(mosaic.column[own] - left, inside % width)
        assert (columns, rows) == (width, height)
        assert left + columns <= mosaic.width and top + rows <= mosaic.height


def test_an_image_without_channels_is_itself() -> None:
    mosaic = lay_out((2, 3))
    assert (mosaic.height, mosaic.width) == (2, 3)
    assert mosaic.row.tolist() == [0, 0, 0, 1, 1, 1]


def test_three_channels_stand_in_one_row_and_many_in_about_a_square() -> None:
    assert len({top for _, top, _, _ in lay_out((3, 8, 8)).frames}) == 1
    many = lay_out((64, 7, 7))
    assert len({top for _, top, _, _ in many.frames}) == 8


@given(
    st.integers(0, 8),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_images_are_on_the_page_and_apart(count: int, shape: tuple[int, int]) -> None:
    places = place_images(lay_out(shape), count)
    boxes = np.array([places.overview, *places.panels])
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    assert (low > 0).all()
    assert (high < (places.width, places.height)).all()
    # Above each there is room for its caption.
    tall = high + np.array([0, 0.35])
    gap = np.maximum(low[:, None] - tall, low - tall[:, None])
    apart = (gap > 0).any(axis=-1)
    assert (apart | np.eye(len(boxes), dtype=bool)).all()


@pytest.mark.parametrize("shape", [(28, 56), (1, 4), (60, 3), (3, 16, 16)])
def test_images_keep_their_proportions(shape) -> None:
    mosaic = lay_out(shape)
    places = place_images(mosaic, 3)
    for _, _, wide, high in (places.overview, *places.panels):
        assert wide / high == pytest.approx(mosaic.width / mosaic.height)


def test_the_page_is_no_wider_than_a_screen() -> None:
    assert place_images(lay_out((28, 56)), 8).width < 15
