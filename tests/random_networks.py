"""Random small networks that mix every way of wiring layers, pruned at random."""

from collections.abc import Callable, Sequence

import channel_moves as channels
import picture_moves as pictures
import torch
from drawn_networks import Builder, Drawn, prune
from hypothesis import strategies as st

BATCH = 5
# What is named several times is drawn more often.
EXACT_MOVES = (
    pictures.convolution,
    pictures.convolution,
    pictures.convolution,
    pictures.transposed_convolution,
    pictures.residual,
    pictures.squeeze_and_excite,
    pictures.shuffle,
    pictures.pool,
    pictures.upsample,
    pictures.token_mixing,
    pictures.flatten,
    pictures.space_to_channels,
    pictures.channels_to_space,
    pictures.shift,
    pictures.positions,
    pictures.length_of_two,
    pictures.spatial_gate,
    channels.activation,
    channels.addition,
    channels.concatenation,
    channels.shared_layer,
    channels.batch_norm,
    channels.activation,
    channels.addition,
    channels.gate,
    channels.concatenation,
    channels.chunk,
    channels.part,
    channels.turn,
    channels.scale,
    channels.linear,
    channels.product,
    channels.regroup,
    channels.reorder,
    channels.hand_written,
    channels.standardized,
    channels.stacked,
)
# These divide by a statistic of several units, which the graph leaves out.
NORMALISING_MOVES = (
    pictures.group_norm,
    pictures.channels_last,
    pictures.attention,
    pictures.class_token,
    channels.layer_norm,
)
MOVES = EXACT_MOVES + 2 * NORMALISING_MOVES


@st.composite
def networks(
    draw: Callable,
    moves: Sequence[Callable[[Builder], None]] = MOVES,
    *,
    most: int = 12,
) -> Drawn:
    """Draw a pruned network in evaluation mode, in float64, with inputs for it."""
    shapes = draw(
        st.sampled_from([[(3, 4, 4)], [(2, 4, 4), (1, 4, 4)], [(2, 4, 4), (3,)]])
    )
    builder = Builder(draw, shapes)
    pictures.convolution(builder)
    for move in draw(st.lists(st.sampled_from(moves), min_size=4, max_size=most)):
        move(builder)
    if draw(st.integers(0, 3)):
        channels.gather(builder)
    else:
        pictures.flatten(builder)
    channels.linear(builder)
    model = builder.model
    last = len(builder.shapes) - 1
    flat = [number for number, shape in enumerate(builder.shapes) if len(shape) == 1]
    others = [number for number in flat if number != last and number >= len(shapes)]
    if others and draw(st.booleans()):
        model.named = draw(st.booleans())
        model.results = (last, draw(st.sampled_from(others)))
    else:
        model.results = (last,)
    random = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    prune(model.double().eval(), random, left=draw(st.sampled_from([0.3, 0.6])))
    model.example = tuple(
        torch.randn(BATCH, *shape, generator=random, dtype=torch.float64)
        for shape in shapes
    )
    return model
