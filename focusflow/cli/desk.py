"""What can the screen ask while the database is not open yet, or cannot be opened?"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from focusflow.errors import StoreError

if TYPE_CHECKING:
    from focusflow.ports import Desk
    from focusflow.store import Store


class LateDesk:
    """Passes every question on to the store, once there is one; before, each raises what keeps it from being opened."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._trouble = StoreError("The database is being opened.")

    def opened(self, store: "Store | None") -> None:
        """From now on ask *store*; None: it is closed."""
        self._store = store

    def refuse(self, trouble: StoreError) -> None:
        """From now on answer with *trouble*."""
        self._store, self._trouble = None, trouble

    @property
    def as_desk(self) -> "Desk":
        return cast("Desk", self)  # it has no methods of its own: all are looked up by name

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("_"):
            raise AttributeError(name)

        async def ask(*arguments: Any, **more: Any) -> Any:
            if self._store is None:
                raise StoreError(str(self._trouble))
            return await getattr(self._store, name)(*arguments, **more)

        return ask
