"""Does any request leave for a host that nobody configured?"""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio

RECORDED = str(Path(__file__).with_name("recorded.py"))
TOKENS = "oauth2.googleapis.com"
THE_FOUR_SERVICES = {TOKENS, "api.assemblyai.com", "api.openai.com", "api.notion.com"}
"""Google's other hosts are asked only by those who hold a token."""
SERVICES = ("drive", "assemblyai", "openai", "notion")


def heard(notes: Path) -> set[tuple[str, str]]:
    """Return the hosts and ports that a process looked up or connected to."""
    return {(line.split()[0], line.split()[1]) for line in notes.read_text(encoding="utf-8").splitlines()}


async def test_a_run_talks_to_the_configured_services_and_to_nobody_else(make_world: Any, tmp_path: Path) -> None:
    """From start to end of a call: no look for updates, no telemetry, no table of prices."""
    notes = tmp_path / "hosts.txt"
    async with make_world(tmp_path, "Carmen Ruiz") as world:
        async with world.running(RECORDED, HOSTS=str(notes)) as process:
            with anyio.fail_after(50):
                assert await process.wait() == 0, world.said()
        addresses = [urlsplit(world.sandbox.url_of(name)) for name in SERVICES]

        assert world.violations() == []
        assert heard(notes) == {(address.hostname, str(address.port)) for address in addresses}


async def test_without_other_addresses_only_the_four_services_are_asked(make_world: Any, tmp_path: Path) -> None:
    """Where nothing says otherwise: their own hosts, over TLS."""
    notes = tmp_path / "hosts.txt"
    async with make_world(tmp_path) as world:
        environ = {name: value for name, value in world.environ().items() if not name.endswith("_BASE_URL")}
    key = json.loads(environ["GOOGLE_SERVICE_ACCOUNT_KEY"])
    environ["GOOGLE_SERVICE_ACCOUNT_KEY"] = json.dumps(key | {"token_uri": f"https://{TOKENS}/token"})
    command = [sys.executable, RECORDED, "config", "check", "--online"]
    with anyio.fail_after(50):
        checked = await anyio.run_process(command, env=environ | {"HOSTS": str(notes)}, check=False)

    assert checked.returncode == 3, checked.stderr
    assert heard(notes) == {(host, "443") for host in THE_FOUR_SERVICES}
