"""Words for counts and lists in sentences."""

from collections import Counter
from collections.abc import Iterable


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return ``"1 file"`` or ``"2,000 files"``; of nouns that take no s, `plural` is the plural."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural or f'{noun}s'}"


def some_of(names: Iterable[object], most: int = 3) -> str:
    """Return the first few names: ``"a, b, c and 2 more"``."""
    listed = [str(name) for name in names]
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more:,} more" if more > 0 else "")


def tally(counts: Counter[str]) -> str:
    """Return counts as words, the largest first: ``"300 gone, 2 refused"``."""
    largest_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in largest_first if count)
