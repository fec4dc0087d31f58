"""Answers of hosts, kept in a file with one JSON object per line."""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """The outcome of a request to an address.

    Parameters
    ----------
    image : str
        The image that was requested.
    url : str
        The address.
    reason : str, optional
        Why it gave no image, in a word; None where it gave one.
    detail : str, optional
        The same in a sentence.
    asked : str
        When, in UTC.
    """

    image: str
    url: str
    reason: str | None = None
    detail: str | None = None
    asked: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


class Answers:
    """The file of answers; of an image and an address the last answer counts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remember(self, answer: Answer) -> None:
        """Append an answer."""
        line = json.dumps(asdict(answer), ensure_ascii=False).encode("utf-8", "backslashreplace")
        with self.path.open("a+b", buffering=0) as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                # A line that a crash tore must not spoil the next one.
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line + b"\n")

    def failed(self) -> dict[tuple[str, str], str]:
        """Return the reasons of requests that gave no image, by image and address."""
        reasons: dict[tuple[str, str], str | None] = {}
        lines = self.path.read_bytes().splitlines() if self.path.is_file() else []
        for line in lines:
            try:
                answer = json.loads(line)
                reasons[answer["image"], answer["url"]] = answer["reason"]
            except (ValueError, KeyError, TypeError, RecursionError):
                # Torn by a crash: as good as not asked.
                continue
        return {asked: reason for asked, reason in reasons.items() if isinstance(reason, str)}
