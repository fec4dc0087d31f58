"""HTTP downloads with retries and a limit on simultaneous requests to a host.

`Client.receive` hands what arrives to a `Receiver`, and `Client.get` returns it as bytes. Every
way to fail is a `NoFileError`, whose reason is a key of `FAILURES`.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

FAILURES: Final = {
    "gone": "the host says that there is no such file (404, 410)",
    "refused": "the host does not give the file (another 4xx, or redirects without end)",
    "server-error": "the host failed (5xx), also when asked again",
    "busy": "the host asks to come back later (408, 429, 503)",
    "unreachable": "no connection to the host",
    "slow": "the answer took too long",
    "truncated": "the answer ended early, also when asked again",
    "too-large": "the file is larger than is safe to take",
    "bad-address": "the address is not one of http or https",
    "not-asked": "its host could not be reached several times in a row, or we were stopped",
}
"""Reasons why an address gave no file."""

_CHUNK: Final = 1 << 16
"""Most bytes that are read at once."""


@dataclass(frozen=True)
class Policy:
    """Rules for requests: limits, retries and pauses.

    Attributes
    ----------
    per_host : int
        Most requests to one host at a time.
    connect_timeout : float
        Seconds without a connection after which a host counts as unreachable.
    timeout : float
        Seconds without a byte after which a host counts as silent.
    deadline : float
        Seconds after which an answer has taken too long, bytes or not.
    max_bytes : int
        Largest file that `Client.get` takes.
    redirects : int
        Most redirects that are followed.
    attempts : int
        Times to ask when the failure is one of `retried`.
    retried : frozenset of str
        Failures, keys of `FAILURES`, that may be gone when the address is asked again.
    pause : float
        Seconds before asking again, doubled each time; a host's own Retry-After goes first.
    longest_pause : float
        A host that demands a longer pause than this, in seconds, is not asked again.
    connection_failures : int
        Failed connections in a row after which a host is not asked again.
    user_agent : str
        The User-Agent header of requests.
    """

    per_host: int = 4
    connect_timeout: float = 20.0
    timeout: float = 20.0
    deadline: float = 60.0
    max_bytes: int = 32 * 2**20
    redirects: int = 5
    attempts: int = 3
    retried: frozenset[str] = frozenset({"server-error", "busy", "truncated"})
    pause: float = 1.0
    longest_pause: float = 60.0
    connection_failures: int = 20
    user_agent: str = "leam-lake/0.1 (research on face recognition; arXiv 2509.17457)"


class NoFileError(Exception):
    """An address gave no file.

    Attributes
    ----------
    reason : str
        Why, in a word, as in `FAILURES`.
    complaint : str
        Description of the failure, as the end of a sentence that begins with the address.
    retry_after : float
        Seconds before which the host doesn't want to be asked again.
    """

    def __init__(
        self, reason: str, complaint: str, address: str = "", retry_after: float = 0.0
    ) -> None:
        super().__init__(f"{address} {complaint}.".lstrip())
        self.reason = reason
        self.complaint = complaint
        self.retry_after = retry_after


class Receiver:
    """A receiver of a file that keeps it in memory, and starts over with every attempt."""

    def __init__(self, max_bytes: int) -> None:
        self.received = bytearray()
        self._max_bytes = max_bytes

    def headers(self, url: str) -> Mapping[str, str]:
        """Return the headers of a request for the missing part."""
        return {}

    def begin(self, url: str, response: requests.Response) -> None:
        """Prepare for the body of a response; redirects and refusals are seen here too."""
        self._url = url
        self.received.clear()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes, or raise a NoFileError where they are too many."""
        self.received += chunk
        if len(self.received) > self._max_bytes:
            most = f"{self._max_bytes / 2**20:.0f} MiB"
            raise NoFileError("too-large", f"gives more than {most}", self._url)


class Client:
    """HTTP client for files; threads may share an object."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._stopped = threading.Event()
        self._hosts: dict[str, _Host] = {}
        self._session = requests.Session()
        self._session.headers["User-Agent"] = policy.user_agent
        self._session.max_redirects = policy.redirects
        adapter = HTTPAdapter(pool_maxsize=policy.per_host)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def stop(self) -> None:
        """Stop all requests, and end the responses in progress."""
        self._stopped.set()

    def look_for_hosts(self, urls: Iterable[str]) -> None:
        """Look for the hosts of addresses, all at once: those not reached aren't asked for files.

        A host that isn't looked for is tried by the first request for a file of it.
        """
        roots = set()
        for url in urls:
            with suppress(ValueError):  # it is no address, as the request for its file will say
                roots.add("{}://{}".format(*urlsplit(url)))
        if roots:
            with ThreadPoolExecutor(len(roots)) as pool:
                list(pool.map(self._look_for_host, roots))

    def get(self, url: str) -> bytes:
        """Return the file at an address.

        Raises
        ------
        NoFileError
            If there is none to be had, or it is larger than the policy allows.
        """
        content = Receiver(self.policy.max_bytes)
        self.receive(url, content)
        return bytes(content.received)

    def receive(self, url: str, receiver: Receiver) -> None:
        """Hand the file at an address to a receiver, asking again as the policy says.

        Raises
        ------
        NoFileError
            If the file can't be had.
        """
        try:
            name = urlsplit(url).netloc
        except ValueError as error:
            raise NoFileError("bad-address", f"is no address: {error}", url) from error
        host = self._host(name)
        with host.places:
            if host.failed_connections >= self.policy.connection_failures:
                raise NoFileError("not-asked", "has a host that could not be reached before", url)
            self._check_not_stopped(url)
            try:
                self._receive_with_retries(url, receiver)
            except NoFileError as failure:
                unreachable = failure.reason == "unreachable"
                host.failed_connections = host.failed_connections + 1 if unreachable else 0
                raise
            host.failed_connections = 0

    def _host(self, name: str) -> "_Host":
        places = threading.BoundedSemaphore(self.policy.per_host)
        return self._hosts.setdefault(name, _Host(places))

    def _look_for_host(self, root: str) -> None:
        try:
            self._session.head(root, allow_redirects=False, timeout=self._timeouts)
        except (requests.RequestException, ValueError) as error:
            if _failure(error, root).reason == "unreachable":
                self._host(
                    urlsplit(root).netloc
                ).failed_connections = self.policy.connection_failures

    @property
    def _timeouts(self) -> tuple[float, float]:
        return self.policy.connect_timeout, self.policy.timeout

    def _receive_with_retries(self, url: str, receiver: Receiver) -> None:
        # An adapter's own retries end with the headers, and a body can break off too.
        retry: urllib3.Retry = _Retry(self.policy.attempts - 1, backoff_factor=self.policy.pause)
        while True:
            try:
                return self._receive_once(url, receiver)
            except NoFileError as failure:
                retry = self._wait(retry, failure)

    def _wait(self, retry: urllib3.Retry, failure: NoFileError) -> urllib3.Retry:
        """Wait until the address may be asked again; raise the failure if it may not."""
        if failure.reason not in self.policy.retried:
            raise failure
        try:
            retry = retry.increment(error=failure)
        except urllib3.exceptions.MaxRetryError:
            raise failure from failure.__cause__
        pause = max(retry.get_backoff_time(), failure.retry_after)
        if pause > self.policy.longest_pause or self._stopped.wait(pause):
            raise failure
        return retry

    def _receive_once(self, url: str, receiver: Receiver) -> None:
        headers = receiver.headers(url)
        try:
            response = self._session.get(url, headers=headers, stream=True, timeout=self._timeouts)
        except (requests.RequestException, ValueError) as error:
            raise _failure(error, url) from error
        with response:
            receiver.begin(url, response)
            _check_status(response, url, "Range" in headers)
            for chunk in self._chunks(response, url):
                receiver.write(chunk)

    def _chunks(self, response: requests.Response, url: str) -> Iterator[bytes]:
        """Yield the body, unpacked."""
        ends = time.monotonic() + self.policy.deadline
        while chunk := _read(response, url):
            self._check_not_stopped(url)
            yield chunk
            if time.monotonic() > ends:
                raise NoFileError("slow", f"takes more than {self.policy.deadline} s", url)

    def _check_not_stopped(self, url: str) -> None:
        if self._stopped.is_set():
            raise NoFileError("not-asked", "was not there when we were stopped", url)


@dataclass
class _Host:
    """The state of requests to one host."""

    places: threading.BoundedSemaphore
    failed_connections: int = 0


class _Retry(urllib3.Retry):
    """urllib3's retries, with a pause before the first, which urllib3 makes at once."""

    def get_backoff_time(self) -> float:
        return float(self.backoff_factor * 2 ** (len(self.history) - 1))


_BROKE_OFF: Final = "broke off before the file was complete"

_ERRORS: Final = (
    (requests.ConnectTimeout, "unreachable", "could not be reached in time"),
    (requests.Timeout, "slow", "was silent for too long"),
    (urllib3.exceptions.ReadTimeoutError, "slow", "was silent for too long"),
    (requests.TooManyRedirects, "refused", "redirects without end"),
    (requests.exceptions.ChunkedEncodingError, "truncated", _BROKE_OFF),
    (requests.exceptions.SSLError, "unreachable", "has no certificate that is trusted"),
    (requests.ConnectionError, "unreachable", "could not be reached"),
    (urllib3.exceptions.HTTPError, "truncated", _BROKE_OFF),
    (Exception, "bad-address", "gave no file ({error})"),
)
"""Reason and message by kind of exception; the first kind that fits counts."""

_STATUSES: Final[Mapping[int, str]] = MappingProxyType({
    HTTPStatus.NOT_FOUND: "gone",
    HTTPStatus.GONE: "gone",
    HTTPStatus.REQUEST_TIMEOUT: "busy",
    HTTPStatus.TOO_MANY_REQUESTS: "busy",
    HTTPStatus.SERVICE_UNAVAILABLE: "busy",
    # The part received before is of another file than the host has now.
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "truncated",
})  # fmt: skip
"""Reasons by HTTP status, for those with a specific one."""


def _failure(error: Exception, url: str) -> NoFileError:
    reason, complaint = next(entry[1:] for entry in _ERRORS if isinstance(error, entry[0]))
    return NoFileError(reason, complaint.format(error=error), url)


def _check_status(response: requests.Response, url: str, asked_for_range: bool) -> None:
    status = response.status_code
    if status == HTTPStatus.OK or (asked_for_range and status == HTTPStatus.PARTIAL_CONTENT):
        return
    other = "server-error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
    complaint = f"answers {status} {response.reason}".rstrip()
    raise NoFileError(_STATUSES.get(status, other), complaint, url, _retry_after(response))


def _retry_after(response: requests.Response) -> float:
    """Return the seconds that a host wants to be left alone, zero if it doesn't say."""
    try:
        return urllib3.Retry().parse_retry_after(response.headers.get("Retry-After", "0"))
    except urllib3.exceptions.InvalidHeader:
        return 0.0


def _read(response: requests.Response, url: str) -> bytes:
    """Return some bytes of the body, none at its end."""
    try:
        # Unlike requests' own iteration, read1 gives what is there without waiting for more.
        return response.raw.read1(_CHUNK, decode_content=True)
    except urllib3.exceptions.HTTPError as error:
        raise _failure(error, url) from error
