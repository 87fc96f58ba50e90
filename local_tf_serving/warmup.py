"""Replays the recorded requests of a version before it is available, so that the first real request is fast.

The format is TensorFlow Serving's (servables/tensorflow/saved_model_warmup_util.cc): a TFRecord file of at most 1000
PredictionLogs, `assets.extra/tf_serving_warmup_requests` in the version's directory.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from google.protobuf.message import DecodeError
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from local_tf_serving.errors import DataLoss, InvalidArgument, Unimplemented
from local_tf_serving.predictor import Predictor

WARMUP_FILE: Final = Path("assets.extra", "tf_serving_warmup_requests")
MAX_RECORDS: Final = 1000  # WarmupConsts::kMaxNumRecords
CRC32C_POLYNOMIAL: Final = 0x82F63B78  # Castagnoli, reflected: RFC 3720, appendix B.4
CRC_MASK_DELTA: Final = 0xA282EAD8  # tensorflow/core/lib/hash/crc32c.h


def replay(directory: Path, predictor: Predictor) -> int:
    """Run all records and return their number, 0 without a file. Raises the first ServingError."""
    path = directory / WARMUP_FILE
    if not path.is_file():
        return 0
    count = 0
    with path.open("rb") as file:
        for count, record in enumerate(_records(file, path), start=1):
            if count > MAX_RECORDS:
                raise InvalidArgument(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
            _run(record, path, predictor)
    return count


def _run(record: bytes, path: Path, predictor: Predictor) -> None:
    try:
        log = PredictionLog.FromString(record)
    except DecodeError as error:
        raise InvalidArgument(f"Failed to parse a warmup record from {path}") from error
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        predictor.predict(log.predict_log.request, timeout=None)
    elif kind is not None:
        raise Unimplemented(f"Unsupported log_type for warmup: {kind}")


def _records(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Frames of length (u64), masked CRC-32C of the length (u32), data, CRC of the data (u32), all little-endian.

    Only the CRC of the length is checked, which detects any file that is not a TFRecord. The CRC of the data would take
    0.1 s per MB in Python, during which requests wait, and a damaged PredictionLog fails anyway.
    """
    while header := file.read(12):
        if len(header) == 12:
            length, checksum = struct.unpack("<QI", header)
            if checksum == _masked_crc32c(header[:8]):
                record = file.read(length)
                if len(record) == length and len(file.read(4)) == 4:
                    yield record
                    continue
        raise DataLoss(
            f"corrupted or truncated record in {path}. Please verify your warmup data is in TFRecord format."
        )


def _masked_crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CRC32C_POLYNOMIAL if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + CRC_MASK_DELTA) & 0xFFFFFFFF
