"""Every Redis key. Outside this file, only scripts build keys, from `Keys.root`.

| key                           | type       | holds                                       | lives                     |
|-------------------------------|------------|---------------------------------------------|---------------------------|
| `{prefix}:job:<id>`           | hash       | status, answers, times, attempts, owner     | `pending_ttl`, `job_ttl`  |
| `{prefix}:image:<id>`         | string     | the payload, until its job succeeds         | as long as its job        |
| `{prefix}:withdrawn:<id>`     | string     | nothing: refuses a submit that arrives late | ten minutes               |
| `{prefix}:backlog`            | stream     | ids of queued and processing jobs           | `pending_ttl` of last use |
| `{prefix}:dead_letters`       | sorted set | ids of failed jobs by time of failure (ms)  | `job_ttl` of last failure |
| `{prefix}:dead_letter_bytes`  | string     | at least the size of their payloads         | `job_ttl` of last failure |
| `{prefix}:unfinished:<owner>` | sorted set | its unfinished jobs by time of expiry (ms)  | `pending_ttl` of last use |
| `{prefix}:ended`              | channel    | publishes the id of each job that ends      | not a key                 |

Redis Cluster is not supported. The scripts find keys by name, and one hash slot holds all keys (the braces are part of
the key), so further primaries would be of no use: `redis_check` refuses them.
"""

from dataclasses import dataclass
from typing import Final

WORKERS: Final = "workers"
"""The name of the backlog's only consumer group and of the only consumer in it.

All workers share the consumer: the token (`Claim.token`) identifies a claim, so no worker needs a unique name, and a
worker that dies leaves no consumer behind.
"""


@dataclass(frozen=True, slots=True)
class Keys:
    prefix: str = "sync_async"

    @property
    def root(self) -> str:
        return f"{{{self.prefix}}}:"

    @property
    def backlog(self) -> str:
        return f"{self.root}backlog"

    @property
    def dead_letters(self) -> str:
        return f"{self.root}dead_letters"

    @property
    def dead_letter_bytes(self) -> str:
        return f"{self.root}dead_letter_bytes"

    @property
    def nothing(self) -> str:
        """Never exists. Deleting it is a write that changes nothing."""
        return f"{self.root}nothing"

    @property
    def ended(self) -> str:
        return f"{self.root}ended"

    def job(self, job_id: str) -> str:
        return f"{self.root}job:{job_id}"

    def withdrawn(self, job_id: str) -> str:
        return f"{self.root}withdrawn:{job_id}"

    def unfinished(self, owner: str) -> str:
        return f"{self.root}unfinished:{owner}"

    def payload(self, job_id: str) -> str:
        return f"{self.root}image:{job_id}"
