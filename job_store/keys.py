"""Every Redis key there is. Nothing outside this file spells one.

| key                     | type       | holds                                        | lives                         |
|-------------------------|------------|----------------------------------------------|-------------------------------|
| `{prefix}:job:<id>`     | hash       | a job: state, both answers, times, attempts  | `pending_ttl`, then `job_ttl` |
| `{prefix}:image:<id>`   | string     | the payload, until its job ends              | as its job                    |
| `{prefix}:backlog`      | stream     | ids of jobs that wait or are worked on       | `pending_ttl` from last use   |
| `{prefix}:dead_letters` | sorted set | ids of failed jobs by time of failure, in ms | `job_ttl` from last failure   |
| `{prefix}:ended`        | channel    | the id of each job, as it ends               | no key                        |

The braces are part of the key: they put all of them into one hash slot, so that on a Redis Cluster too a transition
is one atomic step.
"""

from dataclasses import dataclass
from typing import Final

WORKERS: Final = "workers"
"""The backlog's one consumer group, and the one consumer in it.

Who holds a job is told by the fence (`Claim.token`), not by a consumer's name. So two workers of the same name do each
other no harm, and a worker that is gone leaves no consumer behind.
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
    def ended(self) -> str:
        return f"{self.root}ended"

    def job(self, job_id: str) -> str:
        return f"{self.root}job:{job_id}"

    def payload(self, job_id: str) -> str:
        return f"{self.root}image:{job_id}"
