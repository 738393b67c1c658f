"""Tasks whose true modules are known: the paper's, and those you define yourself."""

from sculpt_plugin.tasks.boolean import get, names
from sculpt_plugin.tasks.digit_learning import digit_learning, right_digits
from sculpt_plugin.tasks.digits import DigitTask, digit_names, digits
from sculpt_plugin.tasks.function_graph import FunctionGraph
from sculpt_plugin.tasks.gates import Gate, and_, minterms, not_, or_, xnor, xor
from sculpt_plugin.tasks.learning import learning
from sculpt_plugin.tasks.mlp import StartNetworks, mlp
from sculpt_plugin.tasks.task import Family, Task
from sculpt_plugin.tasks.true_hierarchy import (
    TrueHierarchy,
    TrueModule,
    true_hierarchy,
)

__all__ = [
    "DigitTask",
    "Family",
    "FunctionGraph",
    "Gate",
    "StartNetworks",
    "Task",
    "TrueHierarchy",
    "TrueModule",
    "and_",
    "digit_learning",
    "digit_names",
    "digits",
    "get",
    "learning",
    "minterms",
    "mlp",
    "names",
    "not_",
    "or_",
    "right_digits",
    "true_hierarchy",
    "xnor",
    "xor",
]
