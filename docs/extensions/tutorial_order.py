"""In which order the tutorials stand: the shortest way in first."""

TUTORIALS = (
    "tutorial_boolean_task.py",
    "tutorial_existing_script.py",
    "tutorial_someone_elses_model.py",
    "tutorial_torch_pruning.py",
    "tutorial_resume.py",
    "tutorial_sweep_consensus.py",
    "tutorial_digits.py",
    "tutorial_accuracy_target.py",
    "tutorial_lightning.py",
)


class TutorialOrder:
    """Give a tutorial's place by its file name, as sphinx-gallery asks for it."""

    def __init__(self, folder: str):
        self.folder = folder

    def __call__(self, name: str) -> int:
        """Give the place; files that the list does not know come last."""
        return [*TUTORIALS, name].index(name)
