"""The HTTP server: answers with the fast model and queues the image for the accurate model.

`python -m proxy` starts it. `server` runs one or more processes, `app` builds the application, and `resources` opens
what it needs at start-up, all from `settings`. `memory` checks whether the container has enough memory for them. A
request to `POST /predict` passes these files, in this order:

    http_protocol       parses HTTP, within `http_limits`; `http_closing` has the timeouts, `http_refusals` the errors
    root_path           adds the path prefix of a reverse proxy
    request_id          gives the request an id for the log and the response
    authentication      identifies the client by its key (`api_keys`) or its address; `rate_limits` limits it
    endpoints           the endpoints, and the order of the steps below; `openapi` documents them
    byte_budget         limits the bytes of concurrent uploads
    body                reads the body, unless it is too slow or too large
    inputs              reads what clients submit, by the setting `INPUT`; these three are for images:
    uploaded_image      reads the image from JSON (`json_body`), a form (`form`) or a raw body
    image_header, exif  read its type, size and orientation without decoding it; `file_type` names other types
    normalizer          converts a large or unusual image into a small JPEG
    batcher             calls the fast model, with several images per call under load
    refinement_queue    submits the job to Redis, behind a circuit breaker
    timings             the duration of each step, for the `Server-Timing` header and the log

`metadata` is the body of `/metadata`, and `readiness` what `/readyz` reports; `guide` serves `/` and `/docs`.
`admission_queue` limits concurrency and queueing in the normalizer and the batcher. `errors` defines why the proxy
refuses a request, and `problems` turns every error into an HTTP response (RFC 9457).
"""
