"""A Textual app with one table, and nothing else: run as a program beside the screen, never imported."""

from textual.app import App, ComposeResult
from textual.widgets import DataTable

TITLES = ("time", "contact", "direction", "type", "length", "status", "cost", "page")


class BareTable(App[None]):
    """Two hundred rows of eight columns."""

    def compose(self) -> ComposeResult:
        yield DataTable[str](cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns(*TITLES)
        for number in range(200):
            table.add_row(*(f"{title} {number}" for title in TITLES))


BareTable().run(mouse=False)
