"""How does something go on beside the screen, and end with it?"""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from textual.dom import DOMNode

if TYPE_CHECKING:
    from textual.worker import WorkType


def go_on_beside(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, None]], *, group: str, exclusive: bool = False
) -> None:
    """Let *work* run as long as *node* is there. A mistake in it becomes a message of *node*, and ends nothing.

    It is called only when it really begins: a coroutine made before would warn when the screen closes first.
    """
    begin: WorkType[None] = work
    node.run_worker(begin, group=group, exclusive=exclusive, exit_on_error=False)
