"""Which parameters live and die together.

torch-pruning knows what has to be cut along with a channel: the biases and norms that
carry it, the columns of the layers that read it, the layers it is added to. Here its
groups become plain indices by parameter name, so that pruning can be a matter of masks.
Nothing else in Sculpt reads torch-pruning's internals.
"""

from sculpt_plugin.coupling.couple import couple as couple
from sculpt_plugin.coupling.groups import WEIGHTED as WEIGHTED
from sculpt_plugin.coupling.groups import Coupling as Coupling
from sculpt_plugin.coupling.groups import Member as Member
from sculpt_plugin.coupling.groups import UnitGroup as UnitGroup
from sculpt_plugin.coupling.groups import edge_layers as edge_layers
from sculpt_plugin.coupling.groups import layer_of as layer_of
from sculpt_plugin.coupling.groups import output_axis as output_axis
from sculpt_plugin.coupling.translation import roles as roles
