"""Helpers that bring jobs into a status, and answers to finish them with."""

from typing import Final

from job_store import Answer, Claim, Job, JobStore

PERSIAN: Final = {"label": "Persian cat", "score": 0.46}
SIAMESE: Final = {"label": "Siamese cat", "score": 0.83}


async def submit(store: JobStore, *payloads: bytes) -> list[str]:
    return [await store.submit(payload, PERSIAN) for payload in payloads]


async def claim(store: JobStore, count: int = 1) -> list[Claim]:
    """Claim as a worker does: jobs with an expired lease before all others, one at a time."""
    claims: list[Claim] = []
    while len(claims) < count:
        result = await store.claim(count - len(claims))
        if not result.has_expired_leases:
            return claims + result.claims
        claims += (await store.reclaim()).claims
    return claims


async def claim_one(store: JobStore) -> Claim:
    (claimed,) = await claim(store)
    return claimed


async def add_dead_letters(store: JobStore, *payloads: bytes) -> list[str]:
    """Submit and fail jobs, oldest first, with their times of failure a millisecond apart."""
    ids = []
    for milliseconds, payload in enumerate(payloads):
        ids += await submit(store, payload)
        await store.fail(await claim_one(store), "broken")
        await store.redis.zincrby(store.keys.dead_letters, milliseconds, ids[-1])
    return ids


async def get_job(store: JobStore, job_id: str) -> Job:
    job = await store.find(job_id)
    assert job, f"there is no job {job_id}"
    return job


def top_five(model: str, label: str) -> Answer:
    """Make an answer as a model gives it, with label names as long as those of ImageNet."""
    others = ["American Staffordshire terrier", "soft-coated wheaten terrier", "Egyptian cat", "lynx"]
    scores = [0.4605, 0.2301, 0.1077, 0.0512, 0.0312]
    ranked = [[name, score] for name, score in zip([label, *others], scores, strict=True)]
    return {"model": model, "version": 1, "label": label, "score": scores[0], "top_k": ranked}
