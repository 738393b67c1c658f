"""The finished site asks no other computer for anything, so it can be read offline."""

import re
from pathlib import Path
from typing import Any

_LOADED = re.compile(
    r"<(?:script|img|iframe|source|audio|video|embed)\b[^>]*\bsrc=[\"']((?:https?:)?//[^\"']+)"
    r"|<link\b(?=[^>]*\brel=[\"'](?:stylesheet|preload|preconnect|icon|modulepreload))"
    r"[^>]*\bhref=[\"']((?:https?:)?//[^\"']+)"
)
_IN_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)")


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx to look the site over at the end."""
    app.connect("build-finished", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def remote_parts(text: str) -> list[str]:
    """List what a browser would fetch from elsewhere when it shows a page or style.

    Links that a reader may click are not among them.

    Example:
        >>> remote_parts('<a href="https://a.org"></a><script src="//b.org/x.js">')
        ['//b.org/x.js']
    """
    pairs = [first or second for first, second in _LOADED.findall(text)]
    return [*pairs, *_IN_STYLE.findall(text)]


def _check(app: Any, error: Exception | None) -> None:
    """Make a remote part an error of the build."""
    if error is not None or app.builder.format != "html":
        return
    from sphinx.errors import ExtensionError

    for path in sorted(Path(app.outdir).rglob("*")):
        if path.suffix in (".html", ".css"):
            found = remote_parts(path.read_text(encoding="utf-8"))
            if found:
                name = path.relative_to(app.outdir)
                raise ExtensionError(f"{name} would fetch {', '.join(found)}.")
