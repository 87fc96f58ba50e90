"""What can go wrong in the job store.

JobStoreError
├── QueueFull          the backlog, or Redis's memory, has no room: nothing was accepted
└── StoreUnavailable   Redis did not answer, or not in time: nothing is known to be accepted
"""


class JobStoreError(Exception):
    pass


class QueueFull(JobStoreError):
    pass


class StoreUnavailable(JobStoreError):
    pass
