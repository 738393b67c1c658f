"""What knowing the modules is worth: bits saved when edges are written down."""

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.special import expit, gammaln, logit

from sculpt_plugin.analysis.graph import LayeredGraph


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
    size, _, _, known = _known(source, target, layer, part)
    unit, below, counts = _reads(source, target, layer)
    blind = log2_choices(size.sum(axis=0)[below], counts)
    return float((blind - log2_choices(known[part[unit], below], counts)).sum())


def liveness_bits(graph: LayeredGraph, part: Int[np.ndarray, " unit"]) -> float:
    """Tell what it is worth, without the parts, to know that every unit is read.

    Of all ways in which the units could read as many units as they do, few may leave
    none unread. Among live units there are no others, so what is unlikely for this
    reason alone is no sign of parts. Someone who knows the parts knows some of it from
    them, and the rest is worth as much with them as without.

    Without the parts this is found as for the most random wiring in which each unit
    reads as many as it does in the mean: for a few units it is right to a bit or so,
    for many to a small part of itself.

    Args:
        graph: A network in which every unit but the outputs is read.
        part: The part of each unit, from 0.

    Returns:
        The bits, 0 or more.

    Example:
        Two outputs read 62 and 63 of 100 units; chance would leave 14 unread. Three
        parts say which units the first reads, which the second, and which both.

        >>> reads = [(unit, 100) for unit in range(62)]
        >>> reads += [(unit, 101) for unit in range(37, 100)]
        >>> graph = LayeredGraph.from_edges((100, 2), reads)
        >>> part = np.array([0] * 37 + [1] * 25 + [2] * 38 + [3, 4])
        >>> print(round(liveness_bits(graph, part), 1))
        34.8
    """
    source, target, layer = graph.edge_sources, graph.adjacency.indices, graph.layer_of
    unit, below, counts = _reads(source, target, layer)
    without = sum(
        _none_left_out_bits(size, counts[below == place])
        for place, size in enumerate(graph.sizes[:-1])
    )
    size, reader, read, known = _known(source, target, layer, part)
    missed, unread = np.zeros_like(known), np.zeros_like(known)
    with np.errstate(divide="ignore"):
        chance = np.log1p(-counts / known[part[unit], below])
    np.add.at(missed, (part[unit], below), chance)
    np.add.at(unread, read, missed[reader])
    some = (size > 0) & (np.arange(graph.depth) < graph.depth - 1)
    with_parts = -(size[some] * np.log2(-np.expm1(unread[some]))).sum()
    return max(0.0, float(without - with_parts))


def _reads(
    source: Int[np.ndarray, " edge"],
    target: Int[np.ndarray, " edge"],
    layer: Int[np.ndarray, " unit"],
) -> tuple[Int[np.ndarray, " choice"], ...]:
    """List each unit with each layer it reads, and how many units it reads there."""
    depth = int(layer.max()) + 1
    choices, counts = np.unique(target * depth + layer[source], return_counts=True)
    return *np.divmod(choices, depth), counts


def _known(
    source: Int[np.ndarray, " edge"],
    target: Int[np.ndarray, " edge"],
    layer: Int[np.ndarray, " unit"],
    part: Int[np.ndarray, " unit"],
) -> tuple[np.ndarray, ...]:
    """Count the units of each part in each layer, and of those that it reads.

    Between the two: which part reads which.
    """
    depth, part_count = int(layer.max()) + 1, int(part.max()) + 1
    places = part * depth + layer
    size = np.bincount(places, minlength=part_count * depth).reshape(-1, depth)
    links = np.unique(part[target] * part_count + part[source])
    reader, read = np.divmod(links, part_count)
    known = np.zeros((part_count, depth))
    np.add.at(known, reader, size[read])
    return size, reader, read, known


def _none_left_out_bits(among: int, chosen: Int[np.ndarray, " choice"]) -> float:
    """Tell how unlikely it is that random choices among many leave none out.

    Example:
        >>> print(round(_none_left_out_bits(20, np.array([8, 8, 8])), 1))
        11.7
    """
    if not len(chosen) or (chosen == among).any():
        return 0.0
    # It takes long to load, and small networks do without.
    from scipy.optimize import minimize

    count, times = np.unique(chosen, return_counts=True)

    def nats(odds: Float[np.ndarray, " kind"]) -> tuple[float, np.ndarray]:
        # The dual of the greatest entropy: log odds of each choice, none left out.
        free = times @ np.logaddexp(0, odds)
        some = -np.expm1(-free)
        value = among * (free + np.log(some)) - (times * count) @ odds
        return float(value), times * (among * expit(odds) / some - count)

    odds = logit(count / among)
    freely = among * (times @ np.logaddexp(0, odds)) - (times * count) @ odds
    # Where each is chosen once the odds of all go to 0 together.
    bounds = [(-20, 20)] * len(odds)
    found = minimize(nats, odds, jac=True, method="L-BFGS-B", bounds=bounds)
    return max(0.0, float(freely - found.fun) / np.log(2))


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


def wiring_bits(graph: LayeredGraph, label: Int[np.ndarray, " unit"]) -> float:
    """Tell how many bits it takes to write a network down by its modules.

    First which unit is in which module, layer by layer; then, for each two layers, how
    many edges run between any two modules; then which of all possible ones they are.
    Few edges among many possible ones, such as stray ones, cost little more than
    themselves, so the modules need not be perfectly apart to be worth knowing.

    Args:
        graph: A network.
        label: The module of each unit, from 0.

    Returns:
        The bits.

    Example:
        Two inputs and two outputs, each connected to its own: knowing nothing, two of
        four possible edges must be named; knowing all, how many run between any two.

        >>> graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
        >>> print(round(wiring_bits(graph, np.zeros(4, dtype=int)), 3))
        2.585
    """
    naming = naming_by_layer(graph, label).sum()
    return float(naming + linking_bits(graph, label, label).sum())


def naming_by_layer(
    graph: LayeredGraph, label: Int[np.ndarray, " unit"]
) -> Float[np.ndarray, " layer"]:
    """Tell how many bits it takes to say which module each unit of a layer is in.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
        >>> naming_by_layer(graph, np.array([0, 0, 0, 1])).tolist()
        [0.0, 0.0]
    """
    layers = [label[graph.units(layer)] for layer in range(graph.depth)]
    return np.array([naming_bits(np.unique(x, return_counts=True)[1]) for x in layers])


def linking_bits(
    graph: LayeredGraph,
    below: Int[np.ndarray, " unit"],
    above: Int[np.ndarray, " unit"],
) -> Float[np.ndarray, "layer layer"]:
    """Tell how many bits it takes to write down the edges from one layer to another.

    Args:
        graph: A network.
        below: The module of each unit when edges come from it, from 0.
        above: The module of each unit when edges go to it, from 0.

    Returns:
        The bits for each layer that edges come from, and each that they go to.

    Example:
        >>> graph = LayeredGraph.from_edges((2, 2), [(0, 2), (1, 3)])
        >>> whole = np.zeros(4, dtype=int)
        >>> linking_bits(graph, whole, whole).round(3).tolist()
        [[0.0, 2.585], [0.0, 0.0]]
    """
    depth = graph.depth
    source, size_below = _places(graph, below)
    target, size_above = _places(graph, above)
    # As a product this takes one pass over the edges, and no sorting.
    links = graph.adjacency.astype(np.int64) @ target
    links = (source.T.tocsr() @ links).tocoo()
    one, other = links.coords
    ways = log2_choices(size_below.ravel()[one] * size_above.ravel()[other], links.data)
    pair = one // size_below.shape[1] * depth + other // size_above.shape[1]
    bits = np.bincount(pair, ways, minlength=depth**2)
    edges = np.bincount(pair, links.data, minlength=depth**2)
    kinds = np.outer((size_below > 0).sum(axis=1), (size_above > 0).sum(axis=1))
    some = edges > 0
    edges, kinds = edges[some], kinds.ravel()[some]
    bits[some] += log2_choices(edges + kinds - 1, kinds - 1)
    return bits.reshape(depth, depth)


def _places(
    graph: LayeredGraph, label: Int[np.ndarray, " unit"]
) -> tuple[sparse.csr_array, Int[np.ndarray, "layer module"]]:
    """Mark for each unit its layer and module, and count the units of each."""
    count = int(label.max()) + 1
    place = graph.layer_of * count + label
    size = np.bincount(place, minlength=graph.depth * count)
    ones = np.ones(len(place), dtype=np.int64)
    where = ones, (np.arange(len(place)), place)
    marks = sparse.csr_array(where, shape=(len(place), len(size)))
    return marks, size.reshape(graph.depth, count)


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
