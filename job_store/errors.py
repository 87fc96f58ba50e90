"""The exceptions of the job store.

JobStoreError
├── QueueFull          the backlog or Redis's memory is full: the job was not accepted
├── QuotaExceeded      the owner has too many unfinished jobs: the job was not accepted
├── StoreUnavailable   a command failed or timed out: Redis may or may not have executed it
└── UnsuitableRedis    Redis can lose accepted jobs, as it is set up
"""


class JobStoreError(Exception):
    pass


class QueueFull(JobStoreError):
    pass


class QuotaExceeded(JobStoreError):
    pass


class StoreUnavailable(JobStoreError):
    pass


class UnsuitableRedis(JobStoreError):
    pass
