"""Steps that a random network can take on pictures: channels, rows, columns."""

import torch
from drawn_networks import Builder, Values, apply
from torch import Tensor, nn
from torch.nn import functional


def convolution(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    groups = builder.choose([g for g in (1, 1, 2, 3, channels) if channels % g == 0])
    out = groups * builder.choose(
        [1, 2] if groups > 2 else [2, 3] if groups > 1 else [4]
    )
    stride = builder.choose([1, 2]) if size >= 4 else 1
    kernel = builder.choose([1, 3])
    layer = nn.Conv2d(
        channels, out, kernel, stride=stride, padding=kernel // 2, groups=groups
    )
    size = size if stride == 1 else size // 2
    apply(builder, layer, value, (out, size, size), weighted=True)


def transposed_convolution(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    groups = builder.choose([1, 2]) if channels % 2 == 0 else 1
    if size < 8:
        layer = nn.ConvTranspose2d(channels, 2 * groups, 2, stride=2, groups=groups)
        shape = (2 * groups, 2 * size, 2 * size)
        apply(builder, layer, value, shape, weighted=True)


def group_norm(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    # Of two numbers a norm leaves nothing but their order.
    fit = [g for g in (1, 2, 3) if channels % g == 0 and channels // g > 2]
    if fit and size > 1:
        norm = nn.GroupNorm(builder.choose(fit), channels)
        apply(builder, norm, value, builder.shapes[value])


def residual(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    shape = builder.shapes[value]
    layer = builder.layer(nn.Conv2d(shape[0], shape[0], 3, padding=1))
    builder.add("residual", lambda v: v[value] + layer(v[value]), shape, value)


def squeeze_and_excite(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    layer = builder.layer(nn.Conv2d(channels, channels, 1))

    def step(v: Values) -> Tensor:
        return v[value] * layer(v[value].mean((2, 3), keepdim=True)).sigmoid()

    builder.add("squeeze and excite", step, (channels, size, size), value)


def shuffle(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    shape = builder.shapes[value]
    if shape[0] % 2 == 0:

        def step(v: Values) -> Tensor:
            return v[value].unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)

        builder.add("shuffle", step, shape, value)


def pool(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    if size > 2:
        kinds = [nn.AvgPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(size // 2)]
        shape = (channels, size // 2, size // 2)
        apply(builder, builder.choose(kinds), value, shape)


def upsample(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    if size < 8:
        shape = (channels, 2 * size, 2 * size)
        builder.add(
            "upsample",
            lambda v: functional.interpolate(v[value], scale_factor=2.0),
            shape,
            value,
        )


def channels_last(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    if channels < 3:
        return
    norm = builder.layer(nn.LayerNorm(channels))
    layer = builder.layer(nn.Linear(channels, 3))

    def step(v: Values) -> Tensor:
        return layer(norm(v[value].permute(0, 2, 3, 1))).permute(0, 3, 1, 2)

    builder.add("channels last", step, (3, size, size), value, weighted=True)


def attention(builder: Builder) -> None:
    if builder.model.multiplies:
        return
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    wide = builder.layer(nn.Linear(channels, 12))
    narrow = builder.layer(nn.Linear(4, 3))
    builder.model.multiplies = True

    def step(v: Values) -> Tensor:
        tokens = wide(v[value].flatten(2).transpose(1, 2))
        heads = tokens.unflatten(2, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        query, key, content = heads
        pattern = (query @ key.transpose(-1, -2) / 3).softmax(-1)
        seen = (pattern @ content).transpose(1, 2).flatten(2)
        return narrow(seen).transpose(1, 2).unflatten(2, (size, size))

    builder.add("attention", step, (3, size, size), value, weighted=True)


def token_mixing(builder: Builder) -> None:
    value = builder.any_value(rank=3, raw=False)
    if value is None:
        return
    channels, size, _ = builder.shapes[value]
    if size < 8:
        layer = builder.layer(nn.Linear(size * size, size * size))

        def step(v: Values) -> Tensor:
            return layer(v[value].flatten(2)).unflatten(2, (size, size))

        builder.add("token mixing", step, (channels, size, size), value, weighted=True)


def flatten(builder: Builder) -> None:
    value = builder.any_value(rank=3, raw=False)
    if value is None:
        return
    channels, size, _ = builder.shapes[value]
    if size > 2:
        builder.add("mean", lambda v: v[value].mean((2, 3)), (channels,), value)
    else:
        flat = (channels * size * size,)
        builder.add("flatten", lambda v: v[value].flatten(1), flat, value)


def space_to_channels(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    if size > 2 and channels <= 3:
        shape = (4 * channels, size // 2, size // 2)
        apply(builder, nn.PixelUnshuffle(2), value, shape)


def channels_to_space(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    if size < 8 and channels % 4 == 0:
        shape = (channels // 4, 2 * size, 2 * size)
        apply(builder, nn.PixelShuffle(2), value, shape)


def shift(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    shape = builder.shapes[value]
    step = builder.choose(
        [
            lambda x: x.roll((1, 1), dims=(2, 3)),
            lambda x: torch.cat([x[:, :, 1:], x[:, :, :1]], 2),
            lambda x: x.transpose(2, 3),
        ]
    )
    builder.add("shift", lambda v: step(v[value]), shape, value)


def positions(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    shape = builder.shapes[value]
    table = nn.Parameter(torch.ones(shape))
    builder.model.scales.append(table)
    builder.add("positions", lambda v: v[value] + table, shape, value)


def length_of_two(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    channels, size, _ = builder.shapes[value]
    if channels % 2 == 0:
        shape = (channels // 2, size, size)
        builder.add(
            "length of two",
            lambda v: v[value].unflatten(1, (2, -1)).norm(dim=1),
            shape,
            value,
        )


def spatial_gate(builder: Builder) -> None:
    value = builder.any_value(rank=3)
    shape = builder.shapes[value]
    layer = builder.layer(nn.Conv2d(2, 1, 3, padding=1))

    def step(v: Values) -> Tensor:
        seen = torch.cat([v[value].mean(1, True), v[value].amax(1, True)], 1)
        return v[value] * layer(seen).sigmoid()

    builder.add("spatial gate", step, shape, value)


def class_token(builder: Builder) -> None:
    if builder.model.multiplies:
        return
    value = builder.any_value(rank=3)
    channels = builder.shapes[value][0]
    token = nn.Parameter(torch.ones(1, 1, channels))
    builder.model.scales.append(token)
    wide = builder.layer(nn.Linear(channels, 3 * channels))
    builder.model.multiplies = True

    def step(v: Values) -> Tensor:
        tokens = v[value].flatten(2).transpose(1, 2)
        tokens = torch.cat([token.expand(len(tokens), -1, -1), tokens], 1)
        query, key, content = wide(tokens).chunk(3, dim=2)
        seen = functional.scaled_dot_product_attention(query, key, content, scale=0.3)
        return (seen + tokens)[:, 0]

    builder.add("class token", step, (channels,), value, weighted=True)
