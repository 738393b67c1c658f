"""torchvision is imported when asked for, and only then, or one line says why not."""

import importlib.util
import subprocess
import sys
import textwrap

import pytest
import torch

from sculpt_plugin.errors import ModelError
from sculpt_plugin.vision import import_torchvision

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is missing"
)


def fresh(code: str) -> str:
    """Run code in a fresh Python in which every warning is an error."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(
        command, text=True, capture_output=True, check=True
    ).stdout.strip()


def test_a_model_can_be_made_and_run():
    model = import_torchvision().models.squeezenet1_1(num_classes=3).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


def test_asking_again_gives_the_same_module():
    assert import_torchvision() is import_torchvision()
    assert sys.modules["torchvision"] is import_torchvision()


def test_datasets_and_transforms_are_there():
    vision = import_torchvision()
    images = vision.datasets.FakeData(size=1, image_size=(1, 4, 4))
    assert vision.transforms.functional.to_tensor(images[0][0]).shape == (1, 4, 4)


def test_the_package_and_both_halves_leave_torchvision_alone():
    code = """
        from sculpt_plugin import analyze, plot, sculpt, tasks, trace
        import sculpt_plugin.vision, sys
        print("torchvision" in sys.modules)
    """
    assert fresh(code) == "False"


BROKEN = """
    import sys
    from importlib.machinery import ModuleSpec

    class Broken:
        fails = {fails}

        def find_spec(self, name, path=None, target=None):
            if name == "torchvision._meta_registrations" and Broken.fails:
                Broken.fails -= 1
                return ModuleSpec(name, self)

        def create_module(self, spec):
            return None

        def exec_module(self, module):
            raise {error}

    sys.meta_path.insert(0, Broken())
    from sculpt_plugin.errors import ModelError
    from sculpt_plugin.vision import import_torchvision
    try:
        print(import_torchvision().models.alexnet.__name__)
    except ModelError as error:
        print(error)
"""
NMS = 'RuntimeError("operator torchvision::nms does not exist")'


def test_a_missing_operator_is_declared_and_the_import_tried_again():
    # Where the compiled part fits, this stands for one that does not.
    assert fresh(BROKEN.format(fails=1, error=NMS)) == "alexnet"


def test_an_import_that_fails_again_is_told_in_one_line():
    told = fresh(BROKEN.format(fails=2, error=NMS))
    assert told.startswith(f"torchvision must fit torch {torch.__version__}, and")
    assert "nms does not exist. Install the release of torchvision" in told


def test_any_other_failure_is_told_in_one_line():
    told = fresh(BROKEN.format(fails=1, error='OSError("cannot open\\nshared object")'))
    assert "cannot be imported: cannot open shared object. Install" in told


def test_a_missing_package_that_torchvision_needs_is_named():
    error = "ModuleNotFoundError(\"No module named 'PIL'\", name='PIL')"
    told = fresh(BROKEN.format(fails=1, error=error))
    assert "cannot be imported: No module named 'PIL'. Install" in told


def test_a_missing_torchvision_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ModelError, match=r'pip install "sculpt_plugin\[vision\]"'):
        import_torchvision()


def test_a_failed_import_by_others_does_no_harm():
    code = """
        try:
            import torchvision
        except RuntimeError:
            pass
        from sculpt_plugin.vision import import_torchvision
        models = import_torchvision().models
        import torchvision
        print(torchvision.models is models)
    """
    assert fresh(code) == "True"
