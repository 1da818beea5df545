"""Who may read the emulated Drive? Google's token endpoint: service-account assertions and refresh tokens."""

from __future__ import annotations

import base64
import json
import secrets
import time
from functools import cached_property
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from focusflow.sandbox.service import UnixClock

READONLY: Final = "https://www.googleapis.com/auth/drive.readonly"
READING_SCOPES: Final = frozenset({READONLY, "https://www.googleapis.com/auth/drive"})
LIFETIME: Final = 3599
AUDIENCE: Final = "https://oauth2.googleapis.com/token"

_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TIMEFRAME: Final = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)


class GrantRefused(Exception):
    """The token endpoint answers 400 with this code and description."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class AccessToken(Struct, frozen=True):
    """A bearer token that was given out."""

    text: str
    scopes: frozenset[str]
    expires_at: float


class TokenIssuer:
    """Gives out bearer tokens and knows which ones are good.

    *clock* decides when a token expires; *assertion_clock* judges the times in a signed assertion, which the vendor's
    library always takes from the real clock.
    """

    def __init__(self, *, clock: UnixClock, assertion_clock: UnixClock = time.time) -> None:
        self._clock = clock
        self._assertion_clock = assertion_clock
        self._public_keys: dict[str, RSAPublicKey] = {}
        self._refresh_tokens: dict[str, tuple[str, str]] = {}
        self._tokens: dict[str, AccessToken] = {}

    def grant(self, form: Mapping[str, str]) -> dict[str, object]:
        """Answer a token request; raise GrantRefused."""
        match form.get("grant_type"):
            case grant_type if grant_type == _JWT_BEARER:
                scopes = self._asserted_scopes(form.get("assertion", ""))
            case "refresh_token":
                scopes = self._refreshed_scopes(form)
            case other:
                raise GrantRefused("unsupported_grant_type", f"Invalid grant_type: {other}")
        token = self.issue(scopes)
        return {
            "access_token": token,
            "expires_in": LIFETIME,
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
        }

    def issue(self, scopes: frozenset[str] = frozenset({READONLY})) -> str:
        """A fresh token without asking for credentials: for clients that bring their own header."""
        now = self._clock()
        self._tokens = {text: token for text, token in self._tokens.items() if token.expires_at > now}
        token = AccessToken(f"ya29.{secrets.token_urlsafe(32)}", scopes, now + LIFETIME)
        self._tokens[token.text] = token
        return token.text

    def scopes_of(self, text: str) -> frozenset[str] | None:
        """What the token allows; None if it is unknown or expired."""
        token = self._tokens.get(text)
        return token.scopes if token is not None and token.expires_at > self._clock() else None

    def expire_access_tokens(self) -> None:
        """Every token given out so far is answered with 401 from now on."""
        self._tokens.clear()

    def revoke_credentials(self) -> None:
        """Delete the keys and refresh tokens, and what was issued for them: the next grant is refused for good."""
        self._public_keys = dict.fromkeys(self._public_keys, self._someone_elses_key)
        self._refresh_tokens.clear()
        self._tokens.clear()

    def service_account_info(self, token_uri: str) -> dict[str, str]:
        """A service account's key file with a registered fresh key; made once."""
        email = "focusflow@sandbox-project.iam.gserviceaccount.com"
        self._public_keys.setdefault(email, self._key.public_key())
        return {
            "type": "service_account",
            "project_id": "sandbox-project",
            "private_key_id": "5b1f6e1c0a3d4f7e9c2b8a7d6e5f4c3b2a190817",
            "private_key": _pem(self._key),
            "client_email": email,
            "client_id": "104719283746501928374",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        }

    def user_credentials_info(self, token_uri: str) -> dict[str, str]:
        """An authorized user's file with a registered refresh token."""
        refresh_token, client_id, client_secret = f"1//{secrets.token_urlsafe(24)}", "client-id", "client-secret"
        self._refresh_tokens[refresh_token] = (client_id, client_secret)
        return {
            "type": "authorized_user",
            "client_id": client_id,
            "client_secret": client_secret,
            "refresh_token": refresh_token,
            "token_uri": token_uri,
        }

    @cached_property
    def _key(self) -> RSAPrivateKey:
        return _new_key()

    @cached_property
    def _someone_elses_key(self) -> RSAPublicKey:
        return _new_key().public_key()

    def _asserted_scopes(self, assertion: str) -> frozenset[str]:
        try:
            head, claims, signature = assertion.split(".")
            header, claim = json.loads(_decoded(head)), json.loads(_decoded(claims))
            issuer, scopes = str(claim["iss"]), frozenset(str(claim["scope"]).split())
            issued, expires, audience = float(claim["iat"]), float(claim["exp"]), claim["aud"]
        except (ValueError, KeyError, TypeError) as exc:
            raise GrantRefused("invalid_request", "Bad Request") from exc
        if header.get("alg") != "RS256" or not self._signed(issuer, f"{head}.{claims}".encode(), _decoded(signature)):
            raise GrantRefused("invalid_grant", "Invalid JWT Signature.")
        now = self._assertion_clock()
        if not (issued - 300 <= now < expires and expires - issued <= 3600 and audience == AUDIENCE):
            raise GrantRefused("invalid_grant", _TIMEFRAME)
        if not scopes:
            raise GrantRefused("invalid_scope", "Empty or missing scope not allowed.")
        return scopes

    def _signed(self, issuer: str, message: bytes, signature: bytes) -> bool:
        if not self._public_keys:
            return True  # nobody is registered, so anybody is welcome
        if issuer not in self._public_keys:
            raise GrantRefused("invalid_grant", "Invalid grant: account not found")
        return _verified(self._public_keys[issuer], message, signature)

    def _refreshed_scopes(self, form: Mapping[str, str]) -> frozenset[str]:
        registered = self._refresh_tokens.get(form.get("refresh_token", ""))
        if registered is None:
            raise GrantRefused("invalid_grant", "Token has been expired or revoked.")
        if registered != (form.get("client_id"), form.get("client_secret")):
            raise GrantRefused("invalid_client", "Unauthorized")
        return frozenset(form.get("scope", READONLY).split())


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


# cryptography takes 0.1 s to import, and only a sandbox with credentials needs it


def _new_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: RSAPrivateKey) -> str:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _verified(key: RSAPublicKey, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(signature, message, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
