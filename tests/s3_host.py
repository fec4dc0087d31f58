"""An object store on 127.0.0.1 that speaks S3 over real HTTP, and counts what it is asked."""

import http.client
import logging
import re
from types import TracebackType
from typing import Self

from moto.server import ThreadedMotoServer

_REQUEST = re.compile(r'"(?:\x1b\[\d+m)*(\w+) (\S+) HTTP')


class _Requests(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        found = _REQUEST.search(record.getMessage())
        if found:
            self.seen.append((found[1], found[2]))


class S3Host:
    """The store; ``requests`` are its (method, path) since `forget`."""

    def __enter__(self) -> Self:
        self._requests = _Requests()
        log = logging.getLogger("werkzeug")
        log.setLevel(logging.INFO)
        log.addHandler(self._requests)
        log.propagate = False
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.address = "{}:{}".format(*self._server.get_host_and_port())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()
        logging.getLogger("werkzeug").removeHandler(self._requests)

    @property
    def requests(self) -> list[tuple[str, str]]:
        return self._requests.seen

    def forget(self) -> None:
        self._requests.seen.clear()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a user names this store."""
        return {
            "AWS_ENDPOINT_URL": f"http://{self.address}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def make_bucket(self, name: str) -> None:
        self._ask("PUT", f"/{name}")

    def check_credentials(self, check: bool) -> None:
        """Let the store know nobody, or anybody."""
        self._ask("POST", "/moto-api/reset-auth", "0" if check else "inf")

    def _ask(self, method: str, path: str, body: str | None = None) -> None:
        connection = http.client.HTTPConnection(self.address)
        connection.request(method, path, body)
        assert connection.getresponse().status == 200
        connection.close()
