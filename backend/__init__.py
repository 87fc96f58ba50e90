"""The worker: claims jobs, asks the accurate model, records the answers."""
