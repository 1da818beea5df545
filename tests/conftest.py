"""What all tests share: log lines that cost nothing to write, and a lost connection that programs hear of."""

import signal

import pytest
import structlog


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the long proofs."""
    parser.addoption("--proof", action="store_true", help="run the proofs of reliability in full, which takes hours")
    parser.addoption("--proof-seed", type=int, default=1, help="where the proofs begin to choose at random")


def pytest_configure() -> None:
    """Let the programs under test hear SIGHUP: under nohup they would inherit that nobody cares for it."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _plain_log_lines() -> None:
    """Keep structlog from drawing every traceback in a box, which takes half a second for each."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ]
    )
