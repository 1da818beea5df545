"""Do imports point down, and does a quick command load only what it needs?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

HEAVY = (
    "textual",
    "aiohttp",
    "openai",
    "assemblyai",
    "notion_client",
    "googleapiclient",
    "httpx",
    "genai_prices",
    "phonenumbers",
    "rich",
    "psycopg",
    "focusflow.sandbox",
    "focusflow.providers",
    "focusflow.pipeline",
    "focusflow.supervisor",
    "focusflow.tui",
)

WHAT_IS_LOADED = """
import sys
from focusflow.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert ended.code == 0, ended.code
print(*(name for name in sys.modules), file=sys.stderr)
"""


def loaded(place: Path, *arguments: str) -> set[str]:
    """Return the names of the modules that a command has loaded when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", WHAT_IS_LOADED, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(place), "FOCUSFLOW_DATA_DIR": str(place / "data")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    return set(done.stderr.split())


def within(names: set[str], packages: tuple[str, ...]) -> set[str]:
    """Return which of *packages* are among *names*, themselves or by a module of theirs."""
    return {package for package in packages for name in names if name == package or name.startswith(f"{package}.")}


@pytest.mark.parametrize("command", ["stats", "stats --json", "jobs list", "--help", "config show", "--version"])
def test_a_quick_command_loads_no_vendor_no_screen_and_no_log(command: str, tmp_path: Path) -> None:
    """Each costs a tenth of a second or more, and a look at the numbers needs none."""
    assert within(loaded(tmp_path, *command.split()), HEAVY) == set()


@pytest.mark.parametrize("command", ["--help", "--version"])
def test_help_and_version_need_no_configuration_either(command: str, tmp_path: Path) -> None:
    """They work on a machine where everything else is broken."""
    assert within(loaded(tmp_path, command), ("focusflow.config", "focusflow.store", "asyncio")) == set()


def test_imports_point_down() -> None:
    """The contracts of pyproject.toml; in a process of its own, because the linter switches off every logger that it finds."""
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=50)

    assert done.returncode == 0, done.stdout + done.stderr
