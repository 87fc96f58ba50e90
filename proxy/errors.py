"""What can be wrong with a request, before any model has seen it.

BadRequest
├── NotJson             the body is neither JSON nor declared an image
├── NotBase64           `image_data` is not base64
├── FieldMissing        there is no `image_data` (JSON) or `image` (form), or it is of another type, or empty
├── TooSlow             the body did not come in time
├── TooLarge            more bytes, or more pixels, than this service takes
├── UnsupportedImage    no JPEG, PNG or WebP
└── Undecodable         one of them that is broken
"""


class Overloaded(Exception):
    pass


class BadRequest(Exception):
    """Its text tells the client what to do."""


class NotJson(BadRequest):
    pass


class NotBase64(BadRequest):
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
