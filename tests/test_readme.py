"""The README's code runs as it stands, given a model, data and two functions."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.S)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.output = nn.Linear(4, 16), nn.Linear(16, 2)

    def forward(self, x):
        return self.output(self.hidden(x).relu())


def project():
    """What a reader's own project has."""
    inputs = torch.randn(64, 4)
    targets = (inputs[:, 0] > 0).long()
    data = torch.utils.data.TensorDataset(inputs, targets)

    def train(model):
        adam = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(30):
            adam.zero_grad()
            F.cross_entropy(model(inputs), targets).backward()
            adam.step()

    def evaluate(model):
        with torch.no_grad():
            return (model(inputs).argmax(1) == targets).float().mean().item()

    model = Network()
    train(model)
    return {
        "torch": torch,
        "model": model,
        "example_inputs": inputs[:1],
        "train": train,
        "evaluate": evaluate,
        "validation_loader": torch.utils.data.DataLoader(data, batch_size=16),
    }


def test_the_readmes_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = project()
    for block in blocks(ROOT / "README.md"):
        exec(compile(block, "README.md", "exec"), names)
    assert names["sculpture"].density < 0.5
    assert names["sculpture"].score > 0.9
    assert names["report"].to_dict()["modules"]
    assert (tmp_path / "sculpting" / "record.jsonl").exists()


def test_adding_it_to_a_project_takes_twelve_lines():
    first = blocks(ROOT / "README.md")[0]
    lines = [line for line in first.splitlines() if line.strip()]
    assert len(lines) <= 12


@pytest.mark.parametrize(
    "path", re.findall(r"\]\((docs/[^)]+)\)", (ROOT / "README.md").read_text())
)
def test_the_pictures_are_there(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks(page):
        exec(compile(block, page.name, "exec"), names)
    if page.name == "sweeps.md":
        groups = names["together"].inputs.groups()
        assert sorted(unit for group in groups for unit in group) == [0, 1, 2, 3]
