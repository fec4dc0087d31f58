"""Words for counts in sentences."""

from collections import Counter


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return ``"1 file"`` or ``"2,000 files"``; of nouns that take no s, `plural` is the plural."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural or f'{noun}s'}"


def tally(counts: Counter[str]) -> str:
    """Return counts as words, the largest first: ``"300 gone, 2 refused"``."""
    largest_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in largest_first if count)
