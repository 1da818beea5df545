"""Does an answer that Notion never documented end in an error of ours, and in nothing written twice?"""

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from focusflow.errors import Ambiguous, Held, Permanent, StepError, Transient
from focusflow.ports import Clock, Page
from focusflow.providers.health import nobody
from focusflow.providers.notion import open_notion
from focusflow.providers.notion.answers import Unreadable, block_from, page_from, plain
from focusflow.providers.notion.client import NotionApi, connected
from focusflow.providers.retry import RetryPolicy

Call = Callable[..., Page]
Answers = dict[str, tuple[int, object]]
NOWHERE = "393abc1e-edcd-8170-aebf-cf1d14057b30"
QUICK = RetryPolicy(attempts=2, first_wait=0.001, longest_wait=0.001, jitter=0.0)


@pytest.fixture
def answers() -> Answers:
    """What the server says, by method; the test fills it."""
    return {}


@pytest.fixture
async def url(answers: Answers) -> AsyncIterator[str]:
    """A server that answers everything with what the test wrote down."""

    async def answer(request: web.Request) -> web.Response:
        status, document = answers[request.method]
        if isinstance(document, str):
            return web.Response(status=status, text=document, content_type="text/html")
        return web.json_response(document, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def api(url: str, clock: Clock) -> AsyncIterator[NotionApi]:
    client = connected(api_key="ntn_x", base_url=url, timeout=5.0, trust_env=False, log=logging.getLogger("tests"))
    yield NotionApi(client, clock=clock, requests_per_minute=10_000, timeout=5.0, retry=QUICK, tell=nobody)
    await client.aclose()


@pytest.mark.parametrize("document", [{}, {"id": ""}, [], "null", 5, {"id": 7}])
async def test_a_created_page_without_an_id_may_exist(api: NotionApi, answers: Answers, document: object) -> None:
    """The write was accepted, only its answer is useless: look before making another."""
    answers["POST"] = (200, document)
    with pytest.raises(Ambiguous):
        await api.create_page({"properties": {}})


@pytest.mark.parametrize(
    "document", [{}, {"results": 5}, {"results": [{}]}, {"results": []}, {"results": [{"id": "a"}] * 2}]
)
async def test_an_append_that_names_other_blocks_than_were_sent_is_looked_at(
    api: NotionApi, answers: Answers, document: object
) -> None:
    """Guessing which id is whose would spoil the memo."""
    answers["PATCH"] = (200, document)
    with pytest.raises(Ambiguous):
        await api.append("b", [{"type": "divider", "divider": {}}], None)


async def test_a_write_that_was_saved_nobody_says_where_is_looked_for(api: NotionApi, answers: Answers) -> None:
    """The guidance without an id."""
    answers["POST"] = (503, _refusal("service_unavailable", retry_guidance=["Do not repeat the write."]))
    with pytest.raises(Ambiguous):
        await api.create_page({"properties": {}})


def _refusal(code: str, **data: Any) -> dict[str, object]:
    return {"object": "error", "code": code, "message": "No.", "additional_data": data}


@pytest.mark.parametrize("document", [{}, {"results": "x"}, {"results": [5]}, [], 5])
async def test_an_unreadable_list_is_tried_later(api: NotionApi, answers: Answers, document: object) -> None:
    """No result is taken for an empty one."""
    answers["GET"] = (200, document)
    with pytest.raises(Transient):
        await api.children("b")


@pytest.mark.parametrize(
    ("status", "document", "error"),
    [
        (400, {"code": "missing_version", "message": "Say which."}, Permanent),
        (400, "<html>", Transient),
        (404, "<html>", Transient),
        (302, "<html>", Transient),
        (409, {"code": "conflict_error", "message": "Again."}, Ambiguous),
        (418, {"code": "teapot"}, Permanent),
        (429, "<html>", Held),
        (503, "[]", Transient),
        (504, "<html>", Transient),
        (404, {"code": "object_not_found", "message": "No.", "additional_data": [], "request_id": 5}, Permanent),
    ],
)
async def test_any_status_with_any_body_is_sorted(
    api: NotionApi, answers: Answers, status: int, document: object, error: type[StepError]
) -> None:
    """What the SDK has no name for is read from status and body."""
    answers["GET"] = (status, document)
    with pytest.raises(error):
        await api.page("p")


async def test_a_database_without_data_sources_is_said(url: str, answers: Answers, clock: Clock) -> None:
    """A linked view has none of its own."""
    answers["GET"] = (200, {"id": NOWHERE, "data_sources": []})
    async with open_notion(api_key="ntn_x", database_id=NOWHERE, base_url=url, clock=clock, retry=QUICK) as sink:
        assert "no data source" in (await sink.check())[0]
        answers["GET"] = (200, {"id": NOWHERE, "data_sources": [{"id": NOWHERE}]})
        assert "not an object" in (await sink.check())[0]


async def test_an_id_that_would_lead_elsewhere_is_refused(api: NotionApi) -> None:
    """Not even asked."""
    with pytest.raises(Permanent):
        await api.page("../users/me")


def test_odd_blocks_and_pages_are_read_as_far_as_they_go() -> None:
    """A block of a type we never heard of has an id, and that is enough."""
    block = block_from({"id": "a", "type": "hologram", "hologram": 5, "created_by": None})
    assert (block.kind, block.text, block.created_by) == ("hologram", "", None)
    assert plain([{"text": {"content": "a"}}, {"plain_text": "b"}, {"mention": {}}]) == "ab"
    assert page_from({"id": "a", "url": 5, "archived": True}).in_trash
    with pytest.raises(Unreadable):
        page_from({"id": "a", "properties": []})
