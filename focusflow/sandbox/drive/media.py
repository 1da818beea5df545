"""How are a file's bytes sent? Whole or by range, streamed, at the revision the download began with."""

import re

from aiohttp import web

from focusflow.sandbox.drive.errors import Refusal, forbidden
from focusflow.sandbox.drive.files import DriveFile


async def send_media(request: web.Request, file: DriveFile) -> web.StreamResponse:
    """Answer `alt=media`; raise Refusal for what has no bytes or for a range beyond them."""
    content = file.content
    if content is None:
        raise forbidden("fileNotDownloadable")
    wanted = _range(request.headers.get("Range"), content.size)
    start, stop = wanted or (0, content.size)
    response = web.StreamResponse(status=206 if wanted else 200, headers={"Content-Type": file.mime_type})
    response.headers["Content-Disposition"] = "attachment"
    response.headers["Accept-Ranges"] = "bytes"
    response.content_length = stop - start
    if wanted:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
    await response.prepare(request)
    for piece in content.pieces(start, stop):
        await response.write(piece)
    await response.write_eof()
    return response


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first and one past the last byte asked for; None for no range, or one that has to be ignored."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", (header or "").strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first == "":
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise Refusal(
            416,
            "requestedRangeNotSatisfiable",
            "Request range not satisfiable",
            location="Range",
            location_type="header",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, stop
