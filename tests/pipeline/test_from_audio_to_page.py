"""Does a call become a page, with everything on the way written down?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from focusflow.domain.jobs import Status
from focusflow.domain.transcript import clock_time
from focusflow.sandbox.scripts import SCRIPTS

if TYPE_CHECKING:
    from tests.pipeline.conftest import OpenWorks


async def test_a_call_goes_from_audio_to_page(works: OpenWorks) -> None:
    async with works() as w:
        job_id = await w.add("clinic-appointment")
        job = await w.run(job_id)
        d = await w.detail(job_id)
        print(job); print(d.attempts); print(d.charges); print(await w.told(job_id)); print(w.page_text()); print(w.pages()[0])
        print(w.sandbox.bill.lines, w.bill_micros(), job.cost_micros)
        print([(r.service,r.method,r.path,r.status) for r in w.log])
        assert job.status is Status.COMPLETED
