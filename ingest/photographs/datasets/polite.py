"""Asking strangers' servers for images: few at a time, never twice in vain, and no surprises."""

import threading
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

FAILURES: Final = {
    "gone": "the host says that there is no such file (404, 410)",
    "refused": "the host does not give the file (another 4xx, or redirects without end)",
    "server-error": "the host failed (5xx), also when asked again",
    "busy": "the host asks to come back later (429, 503)",
    "unreachable": "no connection to the host",
    "slow": "the answer took too long",
    "truncated": "the answer ended early, also when asked again",
    "too-large": "the file is larger than is safe to take",
    "bad-address": "the address is not one of http or https",
    "not-asked": "its host could not be reached several times in a row, or we were stopped",
}
"""Why an address gave no file."""

_PASSING: Final = frozenset({"server-error", "busy", "truncated"})
"""Failures that may be gone when asked again at once."""

_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class Manners:
    """How to ask.

    Parameters
    ----------
    per_host : int
        Most requests to one host at a time.
    timeout : float
        Seconds without a byte after which a host counts as silent.
    deadline : float
        Seconds after which an answer has taken too long, bytes or not.
    max_bytes : int
        Largest file that is taken.
    attempts : int
        Times to ask when the host fails or the answer ends early.
    pause : float
        Seconds before asking again, doubled each time; a host's own Retry-After goes first.
    patience : int
        Connections to a host that may fail in a row before it isn't asked any more.
    user_agent : str
        What we call ourselves.
    """

    per_host: int = 4
    timeout: float = 20.0
    deadline: float = 60.0
    max_bytes: int = 32 * 2**20
    attempts: int = 3
    pause: float = 1.0
    patience: int = 20
    user_agent: str = "leam-lake/0.1 (research on face recognition; arXiv 2509.17457)"


class NoFileError(Exception):
    """An address gave no file.

    Parameters
    ----------
    reason : str
        Why, in a word, as in `FAILURES`.
    sentence : str
        What happened, for people.
    retry_after : float
        Seconds before which the host doesn't want to be asked again.
    """

    def __init__(self, reason: str, sentence: str, retry_after: float = 0.0) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.retry_after = retry_after


class _Host:
    """What is going on with one host."""

    def __init__(self, per_host: int) -> None:
        self.places = threading.BoundedSemaphore(per_host)
        self.failed_connections = 0


class Asker:
    """Gets files by http; one object may be used by many threads."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self._stopped = threading.Event()
        self._hosts: dict[str, _Host] = {}
        self._session = requests.Session()
        self._session.headers["User-Agent"] = manners.user_agent
        self._session.max_redirects = 5
        adapter = HTTPAdapter(pool_maxsize=manners.per_host)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def stop(self) -> None:
        """Ask no more, and end the answers under way."""
        self._stopped.set()

    def get(self, url: str) -> bytes:
        """Return the file at an address.

        Raises
        ------
        NoFileError
            If there is none to be had.
        """
        try:
            name = urlsplit(url).netloc
        except ValueError as error:
            raise NoFileError("bad-address", f"{url} is no address: {error}.") from error
        host = self._hosts.setdefault(name, _Host(self.manners.per_host))
        with host.places:
            if host.failed_connections >= self.manners.patience:
                raise NoFileError("not-asked", f"The host of {url} could not be reached before.")
            self._check_not_stopped(url)
            try:
                content = self._get_whole(url)
            except NoFileError as error:
                unreachable = error.reason == "unreachable"
                host.failed_connections = host.failed_connections + 1 if unreachable else 0
                raise
            host.failed_connections = 0
            return content

    def _get_whole(self, url: str) -> bytes:
        """Return the file, asking again when the host failed or its answer ended early."""
        for attempt in range(1, self.manners.attempts + 1):
            try:
                return self._get_once(url)
            except NoFileError as error:
                pause = max(self.manners.pause * 2 ** (attempt - 1), error.retry_after)
                last = attempt == self.manners.attempts or pause > self.manners.deadline
                if last or error.reason not in _PASSING or self._stopped.wait(pause):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _get_once(self, url: str) -> bytes:
        try:
            response = self._session.get(url, stream=True, timeout=self.manners.timeout)
        except requests.ConnectTimeout as error:
            raise NoFileError("unreachable", f"No connection to {url} in time.") from error
        except requests.Timeout as error:
            raise NoFileError("slow", f"No answer from {url} in time.") from error
        except requests.TooManyRedirects as error:
            raise NoFileError("refused", f"{url} redirects without end.") from error
        except requests.ConnectionError as error:
            raise NoFileError("unreachable", f"No connection to {url}.") from error
        except (requests.RequestException, ValueError) as error:
            raise NoFileError("bad-address", f"{url} can't be asked: {error}.") from error
        with response:
            self._check_status(response, url)
            return self._body(response, url)

    def _check_not_stopped(self, url: str) -> None:
        if self._stopped.is_set():
            raise NoFileError("not-asked", f"Stopped before {url} was there.")

    def _check_status(self, response: requests.Response, url: str) -> None:
        status = response.status_code
        if status == 200:
            return
        if status in (404, 410):
            reason = "gone"
        elif status in (429, 503):
            reason = "busy"
        elif status >= 500:
            reason = "server-error"
        else:
            reason = "refused"
        retry_after = response.headers.get("Retry-After", "")
        seconds = float(retry_after) if retry_after.isdecimal() else 0.0
        raise NoFileError(reason, f"{url} answers {status}.", seconds)

    def _body(self, response: requests.Response, url: str) -> bytes:
        ends = time.monotonic() + self.manners.deadline
        content = bytearray()
        try:
            # Unlike requests' own iteration, read1 gives what is there without waiting for more.
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                self._check_not_stopped(url)
                content += chunk
                if len(content) > self.manners.max_bytes:
                    most = f"{self.manners.max_bytes / 2**20:.0f} MiB"
                    raise NoFileError("too-large", f"{url} gives more than {most}.")
                if time.monotonic() > ends:
                    raise NoFileError("slow", f"{url} takes more than {self.manners.deadline} s.")
        except urllib3.exceptions.ReadTimeoutError as error:
            raise NoFileError("slow", f"{url} fell silent midway.") from error
        except urllib3.exceptions.HTTPError as error:
            raise NoFileError("truncated", f"The answer of {url} ended early.") from error
        return bytes(content)
