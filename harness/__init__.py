"""Starts the whole service as real processes on loopback, for the tests, `make chaos` and `make bench`.

- `process.py`: `Process`, one command with its environment and log: start, stop, kill, signal, memory, log lines.
- `redis.py`: `RedisServer`, a `Process` that runs Redis.
- `stack.py`: `Stack`, all processes that `make run` starts, with the same commands: Redis, both model servers, any
  number of workers, and the proxy.
- `waiting.py`: `wait_until`, which polls a condition.
- `models.py`: both models, exported once for all tests.

A stack is built first and started afterwards, so that a caller can change any process in between::

    stack = Stack(directory, models, {"LEASE": "2"}, worker_count=2)
    async with Link(stack.redis.port) as link:  # a network link between the proxy and Redis
        stack.proxy.configure(REDIS_URL=redis_url(link.port))
        stack.fast.command = [PYTHON, "-m", "bench.null_model", f"--port={stack.fast_port}", …]  # another model server
        try:
            await stack.start()  # returns when all processes are healthy
            ...
        finally:
            await asyncio.to_thread(stack.stop)  # in a thread, because the link must keep forwarding until then

`process.variant(log, **settings)` makes another process with the same command and other settings, such as a second
proxy on another port.
"""
