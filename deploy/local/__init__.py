"""`make run`: the whole pattern on one machine, without Docker."""
