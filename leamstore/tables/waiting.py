"""Waiting for other processes to release the tables, up to a limit."""

import logging
import time
from dataclasses import dataclass, field
from typing import Final

from leamstore.errors import LockedError
from leamstore.storage import Location

READER_PATIENCE: Final = 60.0
"""Seconds that a query waits, unless its caller has more patience."""

WITHOUT_END: Final = float("inf")
"""Patience of a process that would lose finished work by giving up."""

_PAUSE_SECONDS: Final = 0.02
_FIRST_WORD_SECONDS: Final = 2.0
_NEXT_WORD_SECONDS: Final = 60.0

_LOG: Final = logging.getLogger(__name__)


@dataclass
class Wait:
    """One wait for the tables at `path`, of at most `patience` seconds.

    Who holds them is logged as a warning after two seconds, and again each minute.
    """

    path: Location
    patience: float
    _begun: float = field(default_factory=time.monotonic)
    _next_word: float = _FIRST_WORD_SECONDS

    def pause(self, holder: str | None) -> None:
        """Sleep for a short time, unless the patience is exhausted.

        Parameters
        ----------
        holder : str or None
            Who holds the tables. One without a name (a thread of this process, a file system
            without locks) may stay for ever: for it, nobody has more than a reader's patience.

        Raises
        ------
        LockedError
            If the patience is exhausted.
        """
        waited = time.monotonic() - self._begun
        if waited > (min(self.patience, READER_PATIENCE) if holder is None else self.patience):
            raise LockedError(
                f"{self.path} has been locked by {holder or 'another process'} for {waited:.0f} "
                "seconds; wait for it to finish, or end it."
            )
        if waited > self._next_word:
            self._next_word += _NEXT_WORD_SECONDS
            _LOG.warning(
                "%s is held open by %s: waiting until it closes the file or ends.",
                self.path,
                holder or "somebody else",
            )
        time.sleep(_PAUSE_SECONDS)
