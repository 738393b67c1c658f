"""Which file holds which idea, read from the files' first lines."""

import ast
from pathlib import Path


def code_map(root: Path) -> str:
    """List all files of a package with the idea of each, folder by folder.

    Args:
        root: The package's folder.

    Returns:
        A Markdown table for each folder.
    """
    folders = sorted({path.parent for path in root.rglob("*.py")})
    return "\n\n".join(_table(folder, root) for folder in folders) + "\n"


def _table(folder: Path, root: Path) -> str:
    """List one folder; the idea of a folder is its `__init__.py`'s."""
    files = sorted(folder.glob("*.py"))
    title = f"{folder.relative_to(root.parent).as_posix()}/"
    rows = [f"| `{path.name}` | {idea(path)} |" for path in files]
    return "\n".join([f"### `{title}`", "", "| file | idea |", "| --- | --- |", *rows])


def idea(path: Path) -> str:
    """Give the first line of a file's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("|", r"\|")
