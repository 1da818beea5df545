"""The database: the only place where the state of jobs is written."""

from focusflow.store.opening import Store, open_store

__all__ = ["Store", "open_store"]
