"""File names made from arbitrary names of a lake."""

import hashlib
import re
import unicodedata
from typing import Final

LONGEST: Final = 120
"""Characters of a file name without its suffix; file systems take 255 bytes of the whole."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.@-]+|\.{2,}")


def file_name(name: str) -> str:
    """Return a name that any file system takes, without spaces, and no other name's.

    Parameters
    ----------
    name : str
        Of a group, person, model, layer or table, or made of such.

    Returns
    -------
    str
        `name` itself if it has letters, digits and ``_.@-`` of ASCII only, begins and ends with
        none of ``.-``, and is short enough. Else as much of it as may stay, with a hyphen and
        eight digits of its sha256, so that ``a/b`` and ``a_b`` are two files.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = _UNSAFE.sub("_", plain).strip(".-")[:LONGEST].rstrip(".-")
    if safe == name and safe:
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{safe.strip('_')}-{digest}".lstrip("-")
