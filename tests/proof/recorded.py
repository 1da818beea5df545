"""Runs FocusFlow as a process that notes which hosts it looks up or connects to, and reaches none beyond this machine.

`HOSTS=hosts.txt python recorded.py run --until-idle`. The tests alone start it; the product knows nothing of it.
"""

import errno
import os
import socket
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

_NOTES = Path(os.environ["HOSTS"]).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115  # for as long as we live


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    """Python calls this for everything that one may want to know of a process."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
        _note(host.decode() if isinstance(host, bytes) else str(host), arguments[1])
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        _note(str(arguments[1][0]), arguments[1][1])


def _note(host: str, port: object) -> None:
    _NOTES.write(f"{host} {port}\n")
    if not _is_here(host):
        raise socket.gaierror(errno.ENETUNREACH, "there is no other host than this one")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.addaudithook(_heard)
    from focusflow.cli import main

    main(sys.argv[1:])
