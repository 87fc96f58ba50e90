"""The errors for requests that the proxy refuses before it calls a model. Clients see their texts.

Overloaded              a limit on concurrent work is reached
NotAuthenticated        the request has no API key, or an unknown one
Forbidden               the API key's role may not do this
RateExceeded            the client has sent more requests than its rate allows

BadRequest
├── NotJson             the body is neither JSON nor declared as an image
├── NotBase64           `image_data` is not base64
├── NotText             the text is not UTF-8
├── FieldMissing        `image_data` (JSON) or `image` (form) is missing, empty, or of the wrong type
├── TooSlow             the body did not arrive in time
├── TooLarge            the image has too many bytes or pixels
├── UnsupportedImage    the image is of a type that the service does not read
└── Undecodable         the image is of a type that the service reads, but broken
"""

from collections.abc import Mapping


class Overloaded(Exception):
    pass


class NotAuthenticated(Exception):
    pass


class Forbidden(Exception):
    pass


class RateExceeded(Exception):
    def __init__(self, message: str, *, retry_after_s: int, limit: int, window_s: int) -> None:
        super().__init__(message)
        self.headers: Mapping[str, str] = {
            "Retry-After": str(retry_after_s),
            "RateLimit-Policy": f'"default";q={limit};w={window_s}',
            "RateLimit": f'"default";r=0;t={retry_after_s}',
        }
        """`RateLimit` is that of the IETF's draft-ietf-httpapi-ratelimit-headers."""


class BadRequest(Exception):
    pass


class NotJson(BadRequest):
    pass


class NotBase64(BadRequest):
    pass


class NotText(BadRequest):
    pass


class FieldMissing(BadRequest):
    pass


class TooSlow(BadRequest):
    pass


class TooLarge(BadRequest):
    pass


class UnsupportedImage(BadRequest):
    pass


class Undecodable(BadRequest):
    pass
