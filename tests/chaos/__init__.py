"""`make chaos`: injects faults into running processes under load, and counts lost and duplicated jobs."""
