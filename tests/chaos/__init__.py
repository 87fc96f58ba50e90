"""`make chaos`: each fault under load, on real processes, and a count of what was lost, stuck or doubled."""
