"""Steps that a random network can take on channels, with or without positions."""

import torch
from drawn_networks import Builder, Values, apply
from torch import Tensor, nn
from torch.nn import functional


def shared_layer(builder: Builder) -> None:
    layers = [
        layer
        for layer in builder.model.layers
        if isinstance(layer, nn.Linear)
        or (isinstance(layer, nn.Conv2d) and layer.stride == (1, 1))
    ]
    if not layers:
        return
    layer = builder.choose(layers)
    fan_in = layer.weight.shape[1] * getattr(layer, "groups", 1)
    rank = 1 if isinstance(layer, nn.Linear) else 3
    fit = [
        number
        for number, shape in enumerate(builder.shapes)
        if len(shape) == rank and shape[0] == fan_in
    ]
    if not fit:
        return
    value = builder.choose(fit[-3:])
    shape = (layer.weight.shape[0], *builder.shapes[value][1:])
    number = list(builder.model.layers).index(layer)
    say = f"layer {number} again"
    builder.add(say, lambda v: layer(v[value]), shape, value, weighted=True)


def batch_norm(builder: Builder) -> None:
    value = builder.any_value()
    shape = builder.shapes[value]
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    apply(builder, kind(shape[0]), value, shape)


def layer_norm(builder: Builder) -> None:
    value = builder.any_value(rank=1)
    if value is not None and builder.shapes[value][0] > 2:
        shape = builder.shapes[value]
        apply(builder, nn.LayerNorm(shape), value, shape)


def activation(builder: Builder) -> None:
    value = builder.any_value()
    shape = builder.shapes[value]
    kinds = [nn.Tanh(), nn.SiLU(), nn.LeakyReLU(), nn.PReLU(shape[0]), nn.Softplus()]
    kinds += [nn.Dropout()]
    apply(builder, builder.choose(kinds), value, shape)


def addition(builder: Builder) -> None:
    value = builder.any_value()
    other = builder.partner(value, axes=slice(None))
    if other is not None:
        shape = builder.shapes[value]
        builder.add("sum", lambda v: v[value] + v[other], shape, value, other)


def gate(builder: Builder) -> None:
    value = builder.any_value()
    other = builder.partner(value, axes=slice(None))
    if other is not None:
        shape = builder.shapes[value]
        builder.add(
            "gate", lambda v: v[value] * v[other].sigmoid(), shape, value, other
        )


def concatenation(builder: Builder) -> None:
    value = builder.any_value()
    other = builder.partner(value, axes=slice(1, None))
    if other is not None:
        channels, *size = builder.shapes[value]
        shape = (channels + builder.shapes[other][0], *size)
        if shape[0] <= 12:
            builder.add(
                "concat",
                lambda v: torch.cat([v[value], v[other]], 1),
                shape,
                value,
                other,
            )


def chunk(builder: Builder) -> None:
    value = builder.any_value()
    if builder.shapes[value][0] % 2:
        return
    channels, *size = builder.shapes[value]
    part = builder.choose([0, 1])
    shape = (channels // 2, *size)
    builder.add(f"chunk {part}", lambda v: v[value].chunk(2, dim=1)[part], shape, value)


def part(builder: Builder) -> None:
    value = builder.any_value()
    if builder.shapes[value][0] < 3:
        return
    channels, *size = builder.shapes[value]
    lengths = (1, channels - 1)
    builder.add(
        "split", lambda v: v[value].split(lengths, dim=1)[1], (lengths[1], *size), value
    )


def turn(builder: Builder) -> None:
    value = builder.any_value()
    shape = builder.shapes[value]
    step = builder.choose([lambda x: x.flip(1), lambda x: x.roll(1, dims=1)])
    builder.add("turn", lambda v: step(v[value]), shape, value)


def scale(builder: Builder) -> None:
    value = builder.any_value()
    shape = builder.shapes[value]
    weight = nn.Parameter(torch.ones(shape[0], *[1] * (len(shape) - 1)))
    builder.model.scales.append(weight)
    builder.add("scale", lambda v: v[value] * weight, shape, value)


def gather(builder: Builder) -> None:
    """Lead everything that no step read so far to one value."""
    loose = [n for n in range(len(builder.shapes)) if n not in builder.read]
    width = sum(builder.shapes[number][0] for number in loose)

    def step(v: Values) -> Tensor:
        flat = [v[n].flatten(2).mean(2) if v[n].ndim > 2 else v[n] for n in loose]
        return torch.cat(flat, 1)

    builder.add("gather", step, (width,), *loose)


def linear(builder: Builder) -> None:
    value = builder.any_value(rank=1)
    if value is not None:
        out = builder.choose([2, 3, 4, 6])
        layer = nn.Linear(builder.shapes[value][0], out)
        apply(builder, layer, value, (out,), weighted=True)


def product(builder: Builder) -> None:
    value = builder.any_value(rank=1)
    if value is not None and builder.shapes[value][0] % 2 == 0:
        shape = (builder.shapes[value][0] // 2,)
        builder.add(
            "gated unit", lambda v: functional.glu(v[value], dim=1), shape, value
        )


def regroup(builder: Builder) -> None:
    value = builder.any_value(rank=1)
    if value is not None and builder.shapes[value][0] % 2 == 0:
        layer = builder.layer(nn.Linear(2, 2))
        shape = builder.shapes[value]

        def step(v: Values) -> Tensor:
            return layer(v[value].unflatten(1, (-1, 2))).flatten(1)

        builder.add("regroup", step, shape, value, weighted=True)


def reorder(builder: Builder) -> None:
    value = builder.any_value()
    shape = builder.shapes[value]
    order = torch.arange(shape[0] - 1, -1, -1).roll(1)
    step = builder.choose(
        [lambda x: x[:, order], lambda x: x.index_select(1, order), lambda x: x[:, ::1]]
    )
    builder.add("reorder", lambda v: step(v[value]), shape, value)


def hand_written(builder: Builder) -> None:
    value = builder.any_value()
    shape = builder.shapes[value]
    step = builder.choose(
        [
            lambda x: torch.where(x > 0, x, 0.1 * x),
            lambda x: x.abs().log1p() - 0.3 * x,
            lambda x: (x * x + 1).sqrt() * x,
            lambda x: x - 0.5 * x.roll(1, dims=1),
        ]
    )
    builder.add("by hand", lambda v: step(v[value]), shape, value)


def standardized(builder: Builder) -> None:
    value = builder.any_value()
    shape = builder.shapes[value]
    if shape[0] > 2:
        builder.add(
            "standardized",
            lambda v: (
                (v[value] - v[value].mean(1, True))
                / (1 + v[value].std(1, keepdim=True))
            ),
            shape,
            value,
        )


def stacked(builder: Builder) -> None:
    value = builder.any_value()
    other = builder.partner(value, axes=slice(None))
    if other is not None:
        builder.model.multiplies = True
        shape = builder.shapes[value]
        builder.add(
            "stacked",
            lambda v: torch.stack([v[value], v[other]], 1).prod(1),
            shape,
            value,
            other,
        )
