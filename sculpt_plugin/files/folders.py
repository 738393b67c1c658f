"""Finding the model's file in a folder of other programs, or saying what to do."""

from pathlib import Path

from sculpt_plugin.errors import LoadingError
from sculpt_plugin.files.formats import INDEX
from sculpt_plugin.files.quoting import listed, shown

# How Hugging Face's programs call a model that fits in one file, best first.
USUAL = (
    "model.safetensors",
    "pytorch_model.bin",
    "diffusion_pytorch_model.safetensors",
)

SUFFIXES = {".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pkl"}


def model_in(folder: Path) -> Path:
    """Find the one file in a folder that holds a model.

    Models are often handed on as a folder, with their settings beside them.

    Args:
        folder: The folder.

    Returns:
        The path of the model's file, unopened.

    Raises:
        LoadingError: There is none, or more than one, or one in several parts.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("config.json", "pytorch_model.bin"):
        ...         (Path(folder) / name).touch()
        ...     model_in(Path(folder)).name
        'pytorch_model.bin'
    """
    names = sorted(path.name for path in folder.iterdir())
    for name in USUAL:
        if name in names:
            return folder / name
    if any(name.endswith(".index.json") for name in names):
        raise LoadingError(f"{shown(folder)} must be a model, but has {INDEX}.")
    if "saved_model.pb" in names:
        raise LoadingError(
            f"{shown(folder)} must be a model of PyTorch, but is one of TensorFlow. "
            f"Convert it with the program that made it."
        )
    models = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
    if len(models) == 1:
        return folder / models[0]
    found = f"holds {listed(models)}" if models else "holds none"
    raise LoadingError(
        f"{shown(folder)} must be a model's file, or a folder with one, but {found}. "
        f"Name the file."
    )
