"""What knowing the modules is worth: bits saved when edges are written down."""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln


def edge_bits_saved(
    source: Int[np.ndarray, " edge"],
    target: Int[np.ndarray, " edge"],
    layer: Int[np.ndarray, " unit"],
    part: Int[np.ndarray, " unit"],
) -> float:
    """Tell how many bits the edges cost less for someone who knows the parts.

    Someone who knows none names what a unit reads among all units of a layer. Someone
    who knows them names it among the units of those parts that the unit's own part
    reads anywhere. That is the evidence for the parts; set against the bits that it
    takes to write the parts down, it needs no threshold.

    Args:
        source: The unit that each edge comes from.
        target: The unit that each edge goes to.
        layer: The layer of each unit.
        part: The part of each unit, from 0.

    Returns:
        The bits saved, 0 or more.

    Example:
        Two units of one layer each read their own two of four inputs: there are six
        ways to choose two of four, and one way to choose two of two.

        >>> import numpy as np
        >>> source, target = np.array([0, 1, 2, 3]), np.array([4, 4, 5, 5])
        >>> layer, part = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0, 1])
        >>> print(round(edge_bits_saved(source, target, layer, part), 3))
        5.17
    """
    depth, part_count = int(layer.max()) + 1, int(part.max()) + 1
    places = part * depth + layer
    size = np.bincount(places, minlength=part_count * depth).reshape(-1, depth)
    links = np.unique(part[target] * part_count + part[source])
    reader, reads = np.divmod(links, part_count)
    known = np.zeros((part_count, depth))
    np.add.at(known, reader, size[reads])
    choices, counts = np.unique(target * depth + layer[source], return_counts=True)
    unit, below = np.divmod(choices, depth)
    blind = log2_choices(size.sum(axis=0)[below], counts)
    return float((blind - log2_choices(known[part[unit], below], counts)).sum())


def naming_bits(sizes: Int[np.ndarray, " part"]) -> float:
    """Tell how many bits it takes to write down which part each unit is in.

    Of all ways to divide the units into parts of these sizes one is named; what the
    parts are called does not matter.

    Args:
        sizes: How many units each part has.

    Returns:
        The bits, 0 for a single part.

    Example:
        There are three ways to divide four into two and two.

        >>> import numpy as np
        >>> print(round(2 ** naming_bits(np.array([2, 2])), 6))
        3.0
    """
    alike = np.bincount(sizes)
    orders = gammaln(sizes + 1).sum() + gammaln(alike + 1).sum()
    return float((gammaln(sizes.sum() + 1) - orders) / np.log(2))


def log2_choices(
    among: Int[np.ndarray, " choice"] | Float[np.ndarray, " choice"],
    chosen: Int[np.ndarray, " choice"],
) -> Float[np.ndarray, " choice"]:
    """Give the logarithm to base 2 of the number of ways to choose.

    Args:
        among: How many there are to choose from.
        chosen: How many are chosen.

    Returns:
        One number of bits for each choice.

    Example:
        >>> import numpy as np
        >>> log2_choices(np.array([8, 4]), np.array([1, 4])).round(6) + 0.0
        array([3., 0.])
    """
    ways = gammaln(among + 1) - gammaln(chosen + 1) - gammaln(among - chosen + 1)
    return ways / np.log(2)
