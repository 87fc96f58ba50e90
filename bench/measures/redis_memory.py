"""What a job costs Redis, while it waits and when it has ended: what its memory grew by, divided by the jobs."""

from typing import Final

from bench import generators
from bench.row import Row, at_most
from bench.service import Kind, Service
from bench.session import Session
from bench.spread import interleaved
from job_store import Keys

CLIENTS: Final = 4


def on_null_models(session: Session) -> list[Row]:
    working, resting = session.shared(Kind()), session.shared(Kind(worker=False))
    runs = interleaved(
        session.effort.rounds,
        {"finished": lambda: _bytes_a_job(session, working), "waiting": lambda: _bytes_a_job(session, resting)},
    )
    beside = [found - session.small.size for found in runs["waiting"]]
    return [
        Row.of("Redis for a finished job", "bytes", runs["finished"], at_most(1024)),
        Row.of("Redis for a waiting job of 64 KB", "bytes", runs["waiting"]),
        Row.of("Redis for a waiting job, beside its image", "bytes", beside,
               note="most of it is what the allocator rounds the image up to"),
    ]  # fmt: skip


def _bytes_a_job(session: Session, service: Service) -> float:
    service.empty()
    before = _used(service)
    body = session.small.body(as_json=True)
    generators.post(service.url, *body, clients=CLIENTS, seconds=session.effort.seconds)
    if "backend" in service.processes:
        service.until_idle()
    jobs = sum(1 for _ in service.redis.scan_iter(f"{Keys().root}job:*", count=1000))
    found = (_used(service) - before) / jobs
    service.empty()
    return found


def _used(service: Service) -> int:
    """Less what Redis keeps for its connections and for what it has yet to write: that comes and goes."""
    memory = service.redis.info("memory")
    return int(memory["used_memory"] - memory["mem_clients_normal"] - memory["mem_aof_buffer"])
