"""Lists, shows, replays and discards dead letters.

REDIS_URL, REDIS_TIMEOUT and PENDING_TTL are those of the worker. The exit status is 1 when an ID is unknown or its
payload is no longer stored, and 2 when Redis is unavailable or an argument is invalid.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

from job_store.connection import connect
from job_store.dead_letters import DeadLetters
from job_store.errors import StoreUnavailable
from job_store.job import Job
from job_store.policy import Policy
from job_store.store import JobStore
from service_settings import Seconds, ServiceSettings


class Settings(ServiceSettings):
    redis_timeout: Seconds = timedelta(seconds=5)


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    settings = Settings.from_environment("dead_letters")
    try:
        return 0 if asyncio.run(_run(args, settings)) else 1
    except StoreUnavailable as error:
        _report(f"{error}; check REDIS_URL")
        return 2


async def _run(args: argparse.Namespace, settings: Settings) -> bool:
    async with connect(settings.redis_url, name="dead_letters", timeout=settings.redis_timeout) as redis:
        store = JobStore(redis, Policy(pending_ttl=settings.pending_ttl, job_ttl=settings.job_ttl))
        command: Callable[[DeadLetters, argparse.Namespace], Awaitable[bool]] = args.command
        return await command(DeadLetters(redis, store), args)


async def _list(letters: DeadLetters, args: argparse.Namespace) -> bool:
    jobs = await letters.list(args.limit)
    if args.json:
        print(json.dumps([_summary(job) for job in jobs], ensure_ascii=False, indent=2))
        return True
    if not jobs:
        print("there are no dead letters")
        return True
    print(f"{'ID':<24}  {'FAILED AT':<25}  ATTEMPTS  ERROR")
    for job in jobs:
        print(f"{job.id:<24}  {_failed_at(job):<25}  {job.attempts:>8}  {_one_line(job.error)}")
    return True


async def _show(letters: DeadLetters, args: argparse.Namespace) -> bool:
    job = await letters.find(args.id)
    if job is None:
        return _report(f"{args.id}: no such dead letter")
    payload = await letters.payload(job.id)
    if args.payload == "-" and payload is not None:
        sys.stdout.buffer.write(payload)
        return True
    print(f"id            {job.id}")
    print(f"submitted at  {job.created_at.isoformat(timespec='seconds')}")
    print(f"failed at     {_failed_at(job)}")
    print(f"expires at    {job.expires_at.isoformat(timespec='seconds')}")
    print(f"attempts      {job.attempts}")
    print(f"error         {_one_line(job.error)}")
    print(f"fast answer   {json.dumps(job.provisional, ensure_ascii=False)}")
    print(f"payload       {'no longer stored' if payload is None else f'{len(payload)} bytes'}")
    if args.payload is None:
        return True
    if payload is None:
        return _report(f"{job.id}: its payload is no longer stored; {args.payload} was not written")
    try:
        Path(args.payload).write_bytes(payload)
    except OSError as error:
        return _report(f"cannot write the payload to {args.payload}: {error.strerror}")
    print(f"written to    {args.payload}")
    return True


async def _replay(letters: DeadLetters, args: argparse.Namespace) -> bool:
    return await _for_each(letters, args, letters.replay, "queued again")


async def _discard(letters: DeadLetters, args: argparse.Namespace) -> bool:
    return await _for_each(letters, args, letters.discard, "discarded")


async def _for_each(
    letters: DeadLetters, args: argparse.Namespace, operation: Callable[[str], Awaitable[bool]], outcome: str
) -> bool:
    job_ids = [job.id for job in await letters.list(limit=None)] if args.all else args.ids
    if not job_ids:
        print("there are no dead letters")
    all_succeeded = True
    for job_id in job_ids:
        if await operation(job_id):
            print(f"{job_id}: {outcome}")
        elif await letters.find(job_id) is None:
            all_succeeded = _report(f"{job_id}: no such dead letter")
        else:
            all_succeeded = _report(f"{job_id}: its payload is no longer stored, so it cannot be replayed; discard it")
    return all_succeeded


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m job_store.dead_letters",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    list_ = commands.add_parser("list", help="list dead letters, newest first")
    list_.add_argument("--limit", type=_positive, default=100, metavar="N", help="at most N of them (default: 100)")
    list_.add_argument("--json", action="store_true", help="as a JSON array")
    list_.set_defaults(command=_list)

    show = commands.add_parser("show", help="show one dead letter")
    show.add_argument("id", metavar="ID")
    show.add_argument("--payload", metavar="FILE", help="also write its payload to FILE; with -, only to stdout")
    show.set_defaults(command=_show)

    for name, command, help_ in (
        ("replay", _replay, "queue dead letters again, under the same ids and with all their attempts"),
        ("discard", _discard, "delete the payloads of dead letters; their jobs remain failed"),
    ):
        subparser = commands.add_parser(name, help=help_)
        selection = subparser.add_mutually_exclusive_group(required=True)
        selection.add_argument("ids", nargs="*", default=[], metavar="ID")
        selection.add_argument("--all", action="store_true", help="every dead letter")
        subparser.set_defaults(command=command)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _summary(job: Job) -> dict[str, object]:
    return {"id": job.id, "failed_at": _failed_at(job), "attempts": job.attempts, "error": job.error}


def _failed_at(job: Job) -> str:
    return job.completed_at.isoformat(timespec="seconds") if job.completed_at else ""


def _one_line(text: str | None) -> str:
    """Keep the text on one line and out of the terminal's control: an error may quote bytes of the payload."""
    return "".join(character if character.isprintable() else " " for character in text or "")


def _report(message: str) -> bool:
    print(f"dead_letters: {message}", file=sys.stderr)
    return False


if __name__ == "__main__":
    sys.exit(main())
