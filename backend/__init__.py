"""The worker: claims jobs, classifies their payloads with the accurate model and records the results.

A job passes through these files, in this order:

    __main__     opens the connections and runs the worker until SIGTERM
    worker       claims batches of jobs while the model fits, and waits for new jobs when the backlog is empty
    claim_limit  makes claims smaller after one whose reply was lost
    shared_lock  keeps a job that may have killed its worker apart from all others
    batch        classifies the payloads of one batch, and finishes, fails or requeues each of its jobs
    heartbeat    extends the leases of a batch's jobs while it is processed
    retrier      retries calls to Redis and the model, with growing pauses

Beside them, `settings` holds the environment variables, and `health` answers the container's health check.
"""
