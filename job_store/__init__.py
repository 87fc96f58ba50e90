"""Redis: jobs, queue, results. The only place that knows a Redis key."""

from job_store.backlog_listener import BacklogListener
from job_store.completions import Completions
from job_store.connection import connect
from job_store.dead_letters import DeadLetters
from job_store.errors import JobStoreError, QueueFull, StoreUnavailable
from job_store.job import Answer, Claim, Job, JobStatus
from job_store.keys import Keys
from job_store.policy import Policy
from job_store.store import ClaimResult, JobStore

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
    "Policy",
    "QueueFull",
    "StoreUnavailable",
    "connect",
]
