"""Any body is either read as a request or rejected with a ServingError."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from local_tf_serving import json_request, tensor
from local_tf_serving.errors import ServingError
from tests.local_tf_serving.saved_models import ECHOED

SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text()
    | st.builds(lambda text: {"b64": text}, st.text("aAz/+= \n-"))
)
VALUES: Final = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner)
)
BODIES: Final = st.fixed_dictionaries(
    {}, optional={"instances": VALUES, "inputs": VALUES, "signature_name": st.text() | SCALARS}
)


@pytest.mark.slow
@given(BODIES, st.sampled_from(sorted(ECHOED)), st.booleans())
def test_any_json_is_a_request_or_a_serving_error(body: dict[str, Any], dtype: str, two_inputs: bool) -> None:
    data_type = ECHOED[dtype].as_datatype_enum
    types = {"x": data_type, "y": data_type} if two_inputs else {"x": data_type}
    request = PredictRequest()
    try:
        json_request.read(json.dumps(body).encode(), lambda _: types, request)
    except ServingError:
        return
    assert request.inputs
    for proto in request.inputs.values():
        assert tensor.data_type(tensor.to_array(proto)) == data_type


@given(st.binary())
def test_bytes_that_are_not_json_are_a_serving_error(body: bytes) -> None:
    with pytest.raises(ServingError):
        json_request.read(body, lambda _: {"x": 1}, PredictRequest())
