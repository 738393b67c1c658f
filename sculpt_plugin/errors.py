"""The errors Sculpt raises on purpose: what must hold, what was found, what to do."""


class SculptError(Exception):
    """Base of every deliberate error, so that one `except` catches them all."""


class GraphError(SculptError, ValueError):
    """A layered graph is not what an analysis needs."""


class TraceError(SculptError, ValueError):
    """A model holds something that cannot be turned into a layered graph."""


class ModelError(SculptError, ValueError):
    """A model, its inputs or its layers do not fit what was asked."""


class ThresholdError(SculptError, ValueError):
    """The score to hold cannot be held, or makes no sense."""


class DataError(SculptError, ValueError):
    """Batches, targets or scores are empty, non-finite or of the wrong shape."""


class TrainError(SculptError, RuntimeError):
    """The user's `train` or `evaluate` failed during sculpting."""


class LaneError(SculptError, ValueError):
    """A model whose runs cannot be trained together as one batched program."""


class CheckpointError(SculptError, RuntimeError):
    """A checkpoint cannot be read, written, or belongs to another run."""


class LoadingError(SculptError, ValueError):
    """A model file cannot be read safely."""


class UnsafeFileError(LoadingError):
    """A model file asks for code to be run, and was refused. Nothing was run."""


class PlotError(SculptError, RuntimeError):
    """A picture cannot be drawn or saved."""


class ExportError(SculptError, ValueError):
    """A result cannot be put into a file for another tool."""


class TaskError(SculptError, ValueError):
    """A task is unknown, or its function graph is not well formed."""


def one_line(error: BaseException) -> str:
    r"""Give an error's text on one line, or its name where it has none.

    Example:
        >>> one_line(ValueError("two\nlines."))
        'two lines'
    """
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
