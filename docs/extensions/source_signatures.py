"""Signatures on the site read as they do in the source, types and all.

Python evaluates annotations, and what is then left of `Inputs` or of
`Float[Tensor, " unit"]` fills half a page. The source says it in a word.
"""

import ast
import inspect
import textwrap
from typing import Any


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx to take signatures from here."""
    app.connect("autodoc-process-signature", _replace)
    app.connect("autodoc-process-docstring", _tell_type)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def source_signature(thing: Any) -> tuple[str, str | None] | None:
    """Give the arguments and the result of a function or dataclass, as in its source.

    Args:
        thing: A function, a method or a class.

    Returns:
        The arguments with their parentheses, and the result if one is annotated. None
        for what has no source, and for a class whose arguments are inherited.

    Example:
        >>> from sculpt_plugin.errors import one_line
        >>> source_signature(one_line)
        ('(error: BaseException)', 'str')
    """
    try:
        text = textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))
        node = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    if isinstance(node, ast.ClassDef):
        return _of_class(node)
    return _of_function(node) if isinstance(node, ast.FunctionDef) else None


def _of_function(node: ast.FunctionDef) -> tuple[str, str | None]:
    """Write a function's arguments, without `self` or `cls`."""
    arguments = node.args
    arguments.defaults = [_short(default) for default in arguments.defaults]
    arguments.kw_defaults = [d and _short(d) for d in arguments.kw_defaults]
    if arguments.args and arguments.args[0].arg in ("self", "cls"):
        arguments.args = arguments.args[1:]
    result = ast.unparse(node.returns).strip("'\"") if node.returns else None
    return f"({ast.unparse(arguments)})", result


def _short(default: ast.expr) -> ast.expr:
    """Write a value that has to be computed as dots; the text says what it is."""
    plain = ast.Constant | ast.Name | ast.Attribute | ast.Tuple | ast.UnaryOp
    return default if isinstance(default, plain) else ast.Constant(...)


def _of_class(node: ast.ClassDef) -> tuple[str, str | None] | None:
    """Write what makes an object: `__init__`, or the fields of a dataclass."""
    for entry in node.body:
        if isinstance(entry, ast.FunctionDef) and entry.name == "__init__":
            return _of_function(entry)[0], None
    if not any("dataclass" in ast.unparse(mark) for mark in node.decorator_list):
        return None
    fields = [
        _written(entry)
        for entry in node.body
        if isinstance(entry, ast.AnnAssign)
        and not ast.unparse(entry.target).startswith("_")
    ]
    return f"({', '.join(fields)})", None


def _written(entry: ast.AnnAssign) -> str:
    """Write a field of a dataclass; `field(repr=False)` is no default."""
    value, text = entry.value, ast.unparse(entry.annotation).strip("'\"")
    if isinstance(value, ast.Call):
        names = {keyword.arg for keyword in value.keywords}
        value = value if names & {"default", "default_factory"} else None
    end = f" = {ast.unparse(_short(value))}" if value else ""
    return f"{ast.unparse(entry.target)}: {text}{end}"


def _tell_type(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Add the type of a property, which has no signature, to its docstring."""
    if what == "property":
        function = getattr(thing, "fget", None) or getattr(thing, "func", thing)
        _, result = source_signature(function) or ("", None)
        if result:
            lines += ["", f":Type: ``{result}``", ""]


def _replace(
    app: Any, what: str, name: str, thing: Any, *others: Any
) -> tuple[str, str | None] | None:
    """Answer Sphinx; None leaves what it found."""
    if what in ("function", "method", "class", "exception"):
        return source_signature(thing)
    return None
