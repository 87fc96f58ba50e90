"""The job store: jobs, the backlog and results in Redis. Redis keys are defined only here.

A job passes through these files, in this order:

    store              submits, claims, finishes, fails, requeues and finds jobs
    scripts            runs the Lua scripts. Each is one atomic transition, from one job status to another:
      submit.lua           no job -> queued
      withdraw.lua         no job -> no job, and refuses a submit that arrives later
      claim.lua            queued, or processing with an expired lease -> processing, or failed
      extend.lua           processing -> processing, with a renewed lease
      requeue.lua          processing -> queued
      end.lua              processing -> succeeded or failed
      end_job.lua          records the end of a job, for claim.lua and end.lua
      owned_jobs.lua       counts the unfinished jobs of each owner, for the scripts above and replay.lua
      replay.lua           failed -> queued
      discard.lua          failed -> failed, without its payload and no longer a dead letter
      drop_dead_letters.lua  failed -> failed, likewise for the oldest dead letters when memory is needed
    pipelining         sends the commands of one turn of the event loop in one round trip
    connection         makes Redis clients and turns Redis errors into StoreUnavailable
    redis_check        refuses a Redis that evicts keys or has several primaries
    backlog_listener   blocks an idle worker until a job is queued
    completions        wakes the callers that wait for a job to end
    dead_letters       lists, replays and discards failed jobs; `python -m job_store.dead_letters` is its command line

They share these definitions:

    job                a job, its statuses, its owner, and a worker's claim on it
    keys               every Redis key
    policy             times to live, the lease, and limits
    errors             the exceptions
"""

from job_store.backlog_listener import BacklogListener
from job_store.completions import Completions
from job_store.connection import connect
from job_store.dead_letters import DeadLetters
from job_store.errors import JobStoreError, QueueFull, QuotaExceeded, StoreUnavailable, UnsuitableRedis
from job_store.job import Answer, Claim, Job, JobStatus, Owner
from job_store.keys import Keys
from job_store.policy import Policy
from job_store.redis_check import check_redis, check_redis_when_up
from job_store.store import ClaimResult, JobStore, new_job_id

__all__ = [
    "Answer",
    "BacklogListener",
    "Claim",
    "ClaimResult",
    "Completions",
    "DeadLetters",
    "Job",
    "JobStatus",
    "JobStore",
    "JobStoreError",
    "Keys",
    "Owner",
    "Policy",
    "QueueFull",
    "QuotaExceeded",
    "StoreUnavailable",
    "UnsuitableRedis",
    "check_redis",
    "check_redis_when_up",
    "connect",
    "new_job_id",
]
