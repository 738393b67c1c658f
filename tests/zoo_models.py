"""Small models of the kinds that torchvision's classifiers are not."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from sculpt_plugin.inputs import Inputs

WORDS = 40
LENGTH = 8


class CausalAttention(nn.Module):
    """Several heads, each word sees those before it, written out by hand."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.reads = nn.Linear(width, 3 * width)
        self.writes = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        split = self.reads(x).view(batch, length, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-2, -1) / (width // self.heads) ** 0.5
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        pattern = scores.masked_fill(later, float("-inf")).softmax(-1)
        return self.writes((pattern @ value).transpose(1, 2).reshape(x.shape))


class Decoder(nn.Module):
    """A GPT: learned positions, norms before each part, a head tied or its own."""

    def __init__(
        self, *, width: int = 16, heads: int = 2, depth: int = 2, tied: bool
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, width)
        self.positions = nn.Parameter(torch.randn(LENGTH, width) / 10)
        self.attentions = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), CausalAttention(width, heads))
            for _ in range(depth)
        )
        self.forwards = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, 4 * width),
                nn.GELU(),
                nn.Linear(4 * width, width),
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, WORDS, bias=False)
        if tied:
            self.head.weight = self.words.weight

    def forward(self, words: Tensor) -> Tensor:
        x = self.words(words) + self.positions[: words.shape[1]]
        for attend, think in zip(self.attentions, self.forwards, strict=True):
            x = x + attend(x)
            x = x + think(x)
        return self.head(self.norm(x))


class RotaryDecoder(nn.Module):
    """A newer decoder: turned positions, norms without a mean, gated forward parts."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, *, width: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.words = nn.Embedding(WORDS, width)
        self.norms = nn.ModuleList(nn.RMSNorm(width) for _ in range(3))
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width // heads, bias=False)
        self.writes = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, 2 * width, bias=False)
        self.up = nn.Linear(width, 2 * width, bias=False)
        self.down = nn.Linear(2 * width, width, bias=False)
        self.head = nn.Linear(width, WORDS, bias=False)
        half = width // heads // 2
        angles = torch.outer(
            torch.arange(LENGTH), 100.0 ** -(torch.arange(half) / half)
        )
        self.register_buffer("cosine", torch.cos(angles), persistent=False)
        self.register_buffer("sine", torch.sin(angles), persistent=False)

    def turned(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=-1)
        cosine, sine = self.cosine[: x.shape[-2]], self.sine[: x.shape[-2]]
        return torch.cat(
            [left * cosine - right * sine, left * sine + right * cosine], dim=-1
        )

    def forward(self, words: Tensor) -> Tensor:
        x = self.words(words)
        seen = self.norms[0](x)
        query = self.query(seen).unflatten(2, (self.heads, -1)).transpose(1, 2)
        key, value = self.key_value(seen)[:, None].chunk(2, dim=-1)
        key, value = (part.expand_as(query) for part in (key, value))
        mixed = functional.scaled_dot_product_attention(
            self.turned(query), self.turned(key), value, is_causal=True
        )
        x = x + self.writes(mixed.transpose(1, 2).flatten(2))
        seen = self.norms[1](x)
        x = x + self.down(functional.silu(self.gate(seen)) * self.up(seen))
        return self.head(self.norms[2](x))


class Encoder(nn.Module):
    """`nn.TransformerEncoder` between an embedding and a classifier."""

    def __init__(self, *, width: int = 16, norm_first: bool = False) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, width)
        layer = nn.TransformerEncoderLayer(
            width, 2, 2 * width, batch_first=True, norm_first=norm_first
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 3)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.encoder(self.words(words)).mean(1))


class Recurrent(nn.Module):
    """Words through a recurrent layer; its last state is classified."""

    def __init__(self, layer: type[nn.LSTM | nn.GRU | nn.RNN], **options: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 6)
        self.layer = layer(6, 5, num_layers=2, batch_first=True, **options)
        self.head = nn.Linear(10 if options.get("bidirectional") else 5, 3)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.layer(self.words(words))[0][:, -1])


class UNet(nn.Module):
    """Down and up again by transposed convolutions, with connections across."""

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.first = self.block(3, width)
        self.second = self.block(width, 2 * width)
        self.deep = self.block(2 * width, 4 * width)
        self.up_second = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.left_second = self.block(4 * width, 2 * width)
        self.up_first = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.left_first = self.block(2 * width, width)
        self.head = nn.Conv2d(width, 2, 1)

    @staticmethod
    def block(channels: int, width: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(functional.max_pool2d(first, 2))
        deep = self.deep(functional.max_pool2d(second, 2))
        x = self.left_second(torch.cat([self.up_second(deep), second], 1))
        return self.head(self.left_first(torch.cat([self.up_first(x), first], 1)))


class Siamese(nn.Module):
    """One body for two pictures, and a judgement of how far apart they are."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(24, 8),
        )
        self.head = nn.Linear(8, 1)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.head((self.body(left) - self.body(right)).abs())


class TwoHeads(nn.Module):
    """A picture and numbers by name in, a class and a place by name out."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = nn.Conv2d(2, 4, 3, padding=1)
        self.numbers = nn.Linear(3, 4)
        self.together = nn.Linear(8, 6)
        self.kind = nn.Linear(6, 3)
        self.place = nn.Linear(6, 2)

    def forward(self, picture: Tensor, numbers: Tensor) -> dict[str, Tensor]:
        seen = self.picture(picture).relu().mean((2, 3))
        read = self.numbers(numbers).relu()
        both = self.together(torch.cat([seen, read], 1)).tanh()
        return {"kind": self.kind(both).softmax(1), "place": self.place(both)}


class Mixer(nn.Module):
    """An MLP-Mixer: one MLP across the patches, one across the channels, in turn."""

    def __init__(self, *, width: int = 8, patches: int = 4, depth: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, stride=4)
        self.across_patches = nn.ModuleList(
            self.part(patches, 2 * patches) for _ in range(depth)
        )
        self.across_channels = nn.ModuleList(
            self.part(width, 2 * width) for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * depth))
        self.head = nn.Linear(width, 3)

    @staticmethod
    def part(size: int, hidden: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, size)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        norms = iter(self.norms)
        parts = zip(self.across_patches, self.across_channels, strict=True)
        for patches, channels in parts:
            x = x + patches(next(norms)(x).transpose(1, 2)).transpose(1, 2)
            x = x + channels(next(norms)(x))
        return self.head(x.mean(1))


def words() -> Tensor:
    return torch.randint(WORDS, (2, LENGTH))


def picture(channels: int, size: int) -> Tensor:
    return torch.randn(2, channels, size, size)


MODELS: dict[str, Callable[[], tuple[nn.Module, Inputs]]] = {
    "gpt (tied head)": lambda: (Decoder(tied=True), words()),
    "gpt (own head)": lambda: (Decoder(tied=False), words()),
    "rotary decoder": lambda: (RotaryDecoder(), words()),
    "transformer encoder": lambda: (Encoder(), words()),
    "transformer encoder (norm first)": lambda: (Encoder(norm_first=True), words()),
    "lstm": lambda: (Recurrent(nn.LSTM), words()),
    "lstm (both ways)": lambda: (Recurrent(nn.LSTM, bidirectional=True), words()),
    "gru": lambda: (Recurrent(nn.GRU), words()),
    "rnn": lambda: (Recurrent(nn.RNN), words()),
    "u-net": lambda: (UNet(), picture(3, 16)),
    "siamese": lambda: (Siamese(), (picture(1, 8), picture(1, 8))),
    "two heads": lambda: (
        TwoHeads(),
        {"picture": picture(2, 4), "numbers": torch.randn(2, 3)},
    ),
    "mixer": lambda: (Mixer(), picture(3, 8)),
}
"""Each small model, new, with inputs for it."""
