"""The errors for requests that the proxy refuses before it calls a model. Clients see their texts.

Overloaded              a limit on concurrent work is reached

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


class Overloaded(Exception):
    pass


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
