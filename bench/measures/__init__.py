"""One measure per file. Each takes a session and returns rows."""

from typing import Final

NO_REAL_MODELS: Final = "the real models are not measured"
