"""The door and the weather: tokens, versions, capabilities, rate windows, the lifetime of blocks, planned faults."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import aiohttp
import httpx
import pytest
from notion_client import AsyncClient
from notion_client.errors import APIErrorCode, HTTPResponseError

from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.notion import NotionService

NewPage = Callable[..., Awaitable[Any]]
Refusal = Callable[[Any], Awaitable[HTTPResponseError]]
Connect = Callable[..., AsyncClient]


class Clock(Protocol):
    def advance(self, seconds: float) -> None: ...


def paragraph(content: str) -> dict[str, Any]:
    return {"paragraph": {"rich_text": [{"text": {"content": content}}]}}


async def test_a_wrong_or_missing_token_is_unauthorized(connect: Connect, refusal: Refusal) -> None:
    """401 with the recorded wording, and no schema is looked at before."""
    for auth in ("ntn_wrong", None):
        error = await refusal(connect(auth=auth).users.me())
        assert (error.status, error.code, str(error)) == (401, APIErrorCode.Unauthorized, "API token is invalid.")


async def test_a_request_without_a_version_is_refused(
    base_url: str, session: aiohttp.ClientSession, connect: Connect, refusal: Refusal
) -> None:
    """400 missing_version; a version nobody knows is a validation error."""
    headers = {"Authorization": "Bearer ntn_another"}
    async with session.get(f"{base_url}/v1/users/me", headers=headers) as response:
        answer = await response.json()
    assert (response.status, answer["code"]) == (400, "missing_version")
    assert answer["message"].endswith("Notion-Version header should be defined, instead was `undefined`.")

    error = await refusal(connect(notion_version="1999-12-31").users.me())
    assert error.status == 400
    assert '`"2025-09-03"`, or `"2026-03-11"`' in str(error)


async def test_every_answer_carries_its_request_id_twice(
    base_url: str, session: aiohttp.ClientSession, client: AsyncClient, refusal: Refusal
) -> None:
    """In the body and in x-notion-request-id, of answers and of errors; no two alike."""
    headers = {"Authorization": "Bearer ntn_another", "Notion-Version": "2026-03-11"}
    async with session.get(f"{base_url}/v1/users/me", headers=headers) as response:
        answer = await response.json()
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert response.headers["x-notion-request-id"] == answer["request_id"]

    error = await refusal(client.request(path="nowhere", method="GET"))
    assert error.headers["x-notion-request-id"] == error.request_id != answer["request_id"]
    assert (error.status, error.code, str(error)) == (400, APIErrorCode.InvalidRequestURL, "Invalid request URL.")


async def test_the_old_database_query_is_gone(client: AsyncClient, database_id: str, refusal: Refusal) -> None:
    """Since 2025-09-03 only data sources are queried."""
    error = await refusal(client.request(path=f"databases/{database_id}/query", method="POST", body={}))

    assert error.code == APIErrorCode.InvalidRequestURL


@pytest.mark.parametrize("missing", ["insert_content", "update_content", "read_content"])
async def test_a_missing_capability_is_a_403(
    client: AsyncClient, service: NotionService, new_page: NewPage, refusal: Refusal, missing: str
) -> None:
    """Each capability guards its own endpoints and no others."""
    page = await new_page()
    service.capabilities.discard(missing)
    calls: dict[str, Callable[[], Any]] = {
        "insert_content": lambda: client.blocks.children.append(page["id"], children=[]),
        "update_content": lambda: client.pages.update(page["id"], icon=None),
        "read_content": lambda: client.pages.retrieve(page["id"]),
    }

    for capability, call in calls.items():
        if capability == missing:
            error = await refusal(call())
            assert (error.status, error.code) == (403, APIErrorCode.RestrictedResource)
            assert str(error) == "Insufficient permissions for this endpoint."
        else:
            await call()
    await client.users.me()


async def test_the_181st_request_of_a_minute_waits_for_the_windows_end(
    client: AsyncClient, connect: Connect, clock: Clock, refusal: Refusal, service: NotionService
) -> None:
    """A fixed window for each token: 180 at any pace, then 429 with whole seconds to its end, then 180 again."""
    await client.users.me()
    clock.advance(17.5)
    for _ in range(179):
        await client.users.me()

    error = await refusal(client.users.me())

    assert (error.status, error.code) == (429, APIErrorCode.RateLimited)
    assert str(error) == "You have been rate limited. Please try again in a few minutes."
    assert error.headers["Retry-After"] == "43"
    assert error.additional_data == {"rate_limit_reason": "public_api_request_rate_limit", "retry_after": "43"}
    await connect(auth="ntn_another").users.me()
    clock.advance(42)
    assert (await refusal(client.users.me())).headers["Retry-After"] == "1"
    clock.advance(0.5)
    await client.users.me()
    assert service.requests_seen == 184


async def test_the_window_can_be_tuned(
    client: AsyncClient, service: NotionService, clock: Clock, refusal: Refusal
) -> None:
    """A business workspace, or a test in a hurry."""
    service.window.limit, service.window.seconds = 2, 10
    await client.users.me()
    await client.users.me()

    assert (await refusal(client.users.me())).headers["Retry-After"] == "10"
    clock.advance(10)
    await client.users.me()


async def test_a_free_workspace_has_its_blocks_for_life(
    client: AsyncClient, service: NotionService, new_page: NewPage, refusal: Refusal
) -> None:
    """The write that reaches the limit passes; later ones that create are 403, deleting gives nothing back."""
    service.block_limit = 4
    page = await new_page(children=[paragraph("one")])
    added = await client.blocks.children.append(page["id"], children=[paragraph("two"), paragraph("three")])
    assert service.blocks_created == 4

    await client.blocks.delete(added["results"][0]["id"])
    for call in (new_page(), client.blocks.children.append(page["id"], children=[paragraph("four")])):
        error = await refusal(call)
        assert (error.status, error.code) == (403, APIErrorCode.RestrictedResource)
        assert error.additional_data == {"block_limit": "block_creation"}
    await client.blocks.update(added["results"][1]["id"], **paragraph("edited"))
    assert service.page_text(page["id"]) == "one\nedited"


async def test_a_503_after_the_commit_names_what_was_written(
    client: AsyncClient, service: NotionService, faults: FaultPlan, new_page: NewPage, refusal: Refusal
) -> None:
    """The page and the blocks are there, once; the guidance carries their ids, and none for an update."""
    faults.add(Fault(service="notion", kind="committed_503", path="^/v1/pages$"))
    error = await refusal(new_page("kept"))
    assert (error.status, error.code) == (503, APIErrorCode.ServiceUnavailable)
    assert error.additional_data is not None
    (page,) = service.pages()
    assert error.additional_data["committed_resource_id"] == page["id"]
    assert "Do not repeat the write." in error.additional_data["retry_guidance"]

    faults.add(Fault(service="notion", kind="committed_503", path="/children$"))
    error = await refusal(client.blocks.children.append(page["id"], children=[paragraph("a"), paragraph("b")]))
    assert error.additional_data is not None
    assert error.additional_data["committed_resource_id"] == page["id"]
    assert error.additional_data["committed_child_ids"] == [each["id"] for each in service.block_tree(page["id"])]
    assert service.page_text(page["id"]) == "a\nb"

    faults.add(Fault(service="notion", kind="committed_503"))
    error = await refusal(client.pages.update(page["id"], icon={"emoji": "📞"}))
    assert error.additional_data is not None
    assert error.additional_data.keys() == {"retry_guidance"}
    assert service.pages()[0]["icon"] == {"type": "emoji", "emoji": "📞"}
    assert faults.pending == []


async def test_a_conflict_writes_nothing(
    service: NotionService, faults: FaultPlan, new_page: NewPage, refusal: Refusal
) -> None:
    """409 before the write; the same call then passes."""
    faults.add(Fault(service="notion", kind="conflict_409"))

    error = await refusal(new_page())

    assert (error.status, error.code) == (409, APIErrorCode.ConflictError)
    assert str(error) == "Conflict occurred while saving. Please try again."
    assert service.pages() == []
    await new_page()
    assert len(service.pages()) == 1


async def test_a_blocked_connection_says_so_in_its_reason(
    client: AsyncClient, faults: FaultPlan, refusal: Refusal
) -> None:
    """The one 429 that must not be retried."""
    faults.add(Fault(service="notion", kind="request_blocked_429"))

    error = await refusal(client.users.me())

    assert error.status == 429
    assert error.additional_data is not None
    assert error.additional_data["rate_limit_reason"] == "public_api_request_blocked"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, APIErrorCode.ValidationError),
        (401, APIErrorCode.Unauthorized),
        (403, APIErrorCode.RestrictedResource),
        (404, APIErrorCode.ObjectNotFound),
        (409, APIErrorCode.ConflictError),
        (429, APIErrorCode.RateLimited),
        (500, APIErrorCode.InternalServerError),
        (503, APIErrorCode.ServiceUnavailable),
        (418, APIErrorCode.InvalidRequest),
    ],
)
async def test_planned_statuses_are_worded_as_notion_words_them(
    client: AsyncClient, faults: FaultPlan, refusal: Refusal, status: int, code: APIErrorCode
) -> None:
    """The SDK recognises each as an error of the API."""
    faults.add(Fault(service="notion", kind="status", status=status, retry_after=7))

    error = await refusal(client.users.me())

    assert (error.status, error.code) == (status, code)
    assert error.request_id == error.headers["x-notion-request-id"]
    if status == 429:
        assert error.headers["Retry-After"] == "7"
        assert error.additional_data == {"rate_limit_reason": "public_api_request_rate_limit", "retry_after": "7"}


@pytest.mark.parametrize("status", [502, 504])
async def test_gateway_errors_are_pages_of_the_edge(
    client: AsyncClient, faults: FaultPlan, refusal: Refusal, status: int
) -> None:
    """HTML with a cf-ray, which the SDK can't read as an error of the API."""
    faults.add(Fault(service="notion", kind="status", status=status))

    error = await refusal(client.users.me())

    assert (error.status, error.code) == (status, "notionhq_client_response_error")
    assert "cf-ray" in error.headers
    assert "x-notion-request-id" not in error.headers
    assert "cloudflare" in error.body


async def test_an_overload_is_unknown_to_the_sdk_but_its_body_tells(
    client: AsyncClient, faults: FaultPlan, refusal: Refusal
) -> None:
    """529 service_overload: the code is not in the SDK's list, Retry-After and the body are there."""
    faults.add(Fault(service="notion", kind="status", status=529, retry_after=2.2))

    error = await refusal(client.users.me())

    assert (error.status, error.code) == (529, "notionhq_client_response_error")
    assert '"code":"service_overload"' in error.body
    assert error.headers["Retry-After"] == "3"


async def test_a_write_whose_answer_is_lost_is_done(
    service: NotionService, faults: FaultPlan, new_page: NewPage
) -> None:
    """The reset after the commit that makes a create ambiguous: one page, no answer."""
    faults.add(Fault(service="notion", kind="reset_after", path="^/v1/pages$"))

    with pytest.raises(httpx.TransportError):  # the SDK lets it through as it is
        await new_page("once")

    assert len(service.pages()) == 1
