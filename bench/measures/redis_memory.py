"""Redis memory per job, queued and finished: the growth of its memory divided by the number of jobs."""

from typing import Final

from bench import generators
from bench.row import Row, at_most
from bench.runs import interleave
from bench.service import Service, ServiceOptions
from bench.session import Session
from job_store import Keys

CLIENTS: Final = 4


def on_null_models(session: Session) -> list[Row]:
    with_worker = session.shared_service(ServiceOptions())
    without_worker = session.shared_service(ServiceOptions(has_worker=False))
    runs = interleave(
        session.profile.rounds,
        {
            "finished": lambda: _bytes_per_job(session, with_worker),
            "queued": lambda: _bytes_per_job(session, without_worker),
        },
    )
    overhead = [size - session.small.size for size in runs["queued"]]
    return [
        Row.of("Redis memory per finished job", "bytes", runs["finished"], at_most(1024)),
        Row.of("Redis memory per queued job of 64 KB", "bytes", runs["queued"]),
        Row.of("Redis memory per queued job, without its image", "bytes", overhead,
               note="most of it is the allocator's rounding up of the image"),
    ]  # fmt: skip


def _bytes_per_job(session: Session, service: Service) -> float:
    service.clear()
    before = _used_memory(service)
    body = session.small.body(as_json=True)
    generators.post(service.url, *body, clients=CLIENTS, seconds=session.profile.seconds)
    if service.workers:
        service.wait_for_jobs()
    jobs = sum(1 for _ in service.redis_client.scan_iter(f"{Keys().root}job:*", count=1000))
    size = (_used_memory(service) - before) / jobs
    service.clear()
    return size


def _used_memory(service: Service) -> int:
    """Exclude the buffers of connections and of the append-only file, whose sizes vary."""
    memory = service.redis_client.info("memory")
    return int(memory["used_memory"] - memory["mem_clients_normal"] - memory["mem_aof_buffer"])
