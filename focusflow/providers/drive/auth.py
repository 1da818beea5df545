"""Which access token opens Drive now? Fetched in a thread, one for everybody, renewed when it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from focusflow.providers.drive.refusals import DriveRefused, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from focusflow.providers.drive.vendor import Credentials

T = TypeVar("T")


class AccessTokens:
    """The account's access token. Raises `DriveRefused` when Google gives none."""

    def __init__(
        self, info: Mapping[str, Any], *, token_uri: str | None, deadline: float, limiter: anyio.CapacityLimiter
    ) -> None:
        self._info, self._token_uri = info, token_uri
        self._deadline, self._limiter = deadline, limiter
        self._credentials: Credentials | None = None
        self._lock = anyio.Lock()

    @property
    def account(self) -> str | None:
        """The service account's address; None for a person's own account."""
        address = self._info.get("client_email")
        return address if isinstance(address, str) else None

    async def authorized(self, ask: Callable[[str], Awaitable[T]]) -> T:
        """Return what *ask* returns when called with a token; a refused token is renewed once."""
        token = await self._token(refused=None)
        try:
            return await ask(token)
        except DriveRefused as refused:
            if refused.status != 401:
                raise
        return await ask(await self._token(refused=token))

    async def _token(self, *, refused: str | None) -> str:
        async with self._lock:
            known = self._credentials
            if known is not None and known.valid and isinstance(known.token, str) and known.token != refused:
                return known.token
            return await self._renew()

    async def _renew(self) -> str:
        try:
            with anyio.fail_after(self._deadline):
                return await anyio.to_thread.run_sync(
                    self._renew_in_thread, abandon_on_cancel=True, limiter=self._limiter
                )
        except TimeoutError as exc:
            raise DriveRefused(Trouble.SILENT, "Google's token service does not answer") from exc

    def _renew_in_thread(self) -> str:
        from focusflow.providers.drive import vendor

        if self._credentials is None:
            self._credentials = vendor.load_credentials(self._info, token_uri=self._token_uri)
        return vendor.refresh(self._credentials, timeout=self._deadline)
