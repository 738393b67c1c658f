"""Style, script and data put into a page so that it needs nothing else, and no more."""

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any

_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def data_text(data: Any) -> str:
    r"""Give data as JSON that cannot end the `<script>` it stands in.

    Angle brackets are spelled as escapes, which only strings can hold, and so is all
    that is not ASCII: neither `</script>` nor `<!--` nor a line separator is left.

    Args:
        data: What JSON can hold.

    Returns:
        The text, in one line.

    Raises:
        ValueError: A number is NaN or infinite, which is no JSON.

    Example:
        >>> print(data_text({"name": "</script>"}))
        {"name":"\u003c/script\u003e"}
    """
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES)


def policy(style: str, script: str) -> str:
    """Write the policy under which a browser runs these two texts and loads nothing.

    Should a name get past all escaping, the browser still refuses what it says: other
    scripts, other styles, pictures, frames, forms, and any request.

    Args:
        style: The style sheet of the page.
        script: Its script.

    Returns:
        The content of the `Content-Security-Policy`.

    Example:
        >>> policy("", "alert()").split("; ")[-2]
        "style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src {_hash(style)}; script-src {_hash(script)}"
    )


def kept_text(*names: str) -> str:
    """Read files that come with the package, one after the other.

    Args:
        names: Their names.

    Returns:
        Their text; lines end as browsers read them, whatever the files have.

    Example:
        >>> "@media print" in kept_text("page.css")
        True
    """
    folder = files("sculpt_plugin.interactive")
    return "\n".join(folder.joinpath(name).read_text("utf-8") for name in names)


def _hash(text: str) -> str:
    """Name a text in a policy."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
