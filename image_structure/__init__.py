"""Walks the segments of a JPEG, the chunks of a PNG and the blocks of a GIF or BMP, without decoding the pixels.

The size of a file does not limit what decoding it costs: 300 KB of JPEG scans can keep a decoder busy for minutes. This
package refuses files that cost far more than any encoder's output would. The proxy and the local model server, which
reads only JPEG and PNG, call it before they decode an image.
"""


class BrokenImage(ValueError):
    """The text says what is wrong and what to do, and is shown to clients."""


class UnsupportedEncoding(BrokenImage):
    """The file may be valid, but it uses a rare variant of its format."""
