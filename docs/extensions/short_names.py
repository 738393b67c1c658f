"""A type's last name is enough to find it: `LayeredGraph` in a signature is a link.

Signatures are written as in the source, where names are imported. Sphinx knows them
by their full names. Types of other libraries are left as text, since looking them up
would need the network.
"""

from typing import Any

# What signatures name that is not ours; anything else must be on the site.
FOREIGN = {
    *("Any", "BaseException", "Callable", "Exception", "Iterable", "Literal"),
    *("Mapping", "Path", "RuntimeError", "Sequence", "TypeError", "ValueError"),
    *("bool", "dict", "float", "int", "list", "slice", "str", "tuple"),
    *("Axes", "Bool", "Float", "Int", "RemovableHandle", "Tensor", "UInt64"),
    *("networkx.DiGraph", "nn.Module", "nn.Sequential", "np.ndarray"),
    *("sparse.csr_array", "torch.Generator", "tp.importance.Importance"),
    *("matplotlib.axes.Axes", "tp.Group"),
}


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx to ask here about names that it cannot find."""
    app.connect("missing-reference", _resolve)
    app.connect("warn-missing-reference", _excuse)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def full_name(name: str, known: list[str]) -> str | None:
    """Give the one known name that ends like this, None for none or several.

    Example:
        >>> full_name("Report", ["sculpt_plugin.Report", "sculpt_plugin.plot.grid"])
        'sculpt_plugin.Report'
    """
    found = [long for long in known if long == name or long.endswith(f".{name}")]
    return found[0] if len(found) == 1 else None


def _resolve(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Make the link, for references to Python's names only."""
    from sphinx.util.nodes import make_refnode

    if node.get("refdomain") != "py":
        return None
    objects = env.domains.python_domain.objects
    known = [name for name, entry in objects.items() if not entry.aliased]
    name = full_name(node["reftarget"], known)
    if name is None:
        return None
    entry = objects[name]
    return make_refnode(
        app.builder, node["refdoc"], entry.docname, entry.node_id, content, name
    )


def _excuse(app: Any, domain: Any, node: Any) -> bool | None:
    """Say that a foreign name need not be found."""
    return True if node["reftarget"] in FOREIGN else None
