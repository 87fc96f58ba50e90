"""A version is checked before its answers count, and an input is blamed only if the model is right."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

import grpc
import pytest
import pytest_asyncio

from harness.process import free_port
from harness.waiting import wait_until
from tests.fake_model_server import FakeModel, Refused, Tensors, classifier, fake_model_server, signature
from tf_serving_client import (
    InputRejected,
    ModelContract,
    ModelMismatch,
    ModelUnavailable,
    ServedClassifier,
    contract_check,
    open_channel,
)
from tf_serving_client.protos import ModelVersionStatus

SECONDS: Final = timedelta(seconds=20)
SAMPLE: Final = b"good"


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def contract() -> ModelContract:
    return ModelContract("m", "the-address:8500")


@pytest_asyncio.fixture
async def client(model: FakeModel, contract: ModelContract) -> AsyncIterator[ServedClassifier]:
    async with fake_model_server(model) as address, open_channel(address) as channel:
        yield ServedClassifier(channel, contract, SAMPLE, SECONDS)


def refuse(_: bytes) -> Sequence[float]:
    raise Refused(grpc.StatusCode.INVALID_ARGUMENT)


def refuse_bad(payload: bytes) -> Sequence[float]:
    return refuse(payload) if payload.startswith(b"bad") else (0.9, 0.1)


async def label(client: ServedClassifier, payload: bytes = b"payload") -> str:
    [prediction] = await client.classify([payload])
    return prediction.label


async def test_the_first_call_checks_the_model_and_later_ones_do_not(
    client: ServedClassifier, model: FakeModel
) -> None:
    assert [await label(client) for _ in range(5)] == ["0"] * 5
    assert model.predicts == [[SAMPLE], *[[b"payload"]] * 5]
    assert model.descriptions == 1


async def test_other_aliases_and_a_filtered_output_are_used(client: ServedClassifier, model: FakeModel) -> None:
    tensors: Tensors = {"classes": ("string", [-1, 2]), "p": ("float32", [-1, -1])}
    model.signatures = {"from_text": signature({"text": ("string", None)}, tensors)}
    assert await label(client) == "0"


async def test_a_rejected_input_is_blamed_only_if_the_sample_passes_just_then(
    client: ServedClassifier, model: FakeModel
) -> None:
    model.scores = refuse_bad
    with pytest.raises(InputRejected):
        await client.classify([b"bad"])
    assert model.predicts == [[SAMPLE], [b"bad"], [SAMPLE]]
    model.scores = refuse
    with pytest.raises(ModelMismatch, match="version 1 fails on a known-good input"):
        await client.classify([b"payload"])


@pytest.mark.parametrize(
    ("validity", "samples"), [(SECONDS, range(1, 2)), (timedelta(0), range(2, 20))], ids=["cached", "not cached"]
)
async def test_many_rejected_inputs_send_few_samples(
    model: FakeModel, contract: ModelContract, validity: timedelta, samples: range
) -> None:
    model.scores = refuse_bad
    async with fake_model_server(model) as address, open_channel(address) as channel:
        client = ServedClassifier(channel, contract, SAMPLE, SECONDS, validity)
        await label(client)
        outcomes = await asyncio.gather(*(client.classify([b"bad"]) for _ in range(50)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {InputRejected}
    assert model.predicts.count([SAMPLE]) in samples, "the first check, and those that rejected calls share"


async def test_a_bad_version_that_is_swapped_in_within_that_second_is_not_blamed_on_the_input(
    client: ServedClassifier, model: FakeModel
) -> None:
    await label(client)
    model.version, model.scores = 2, refuse
    with pytest.raises(ModelMismatch, match="version 2"):
        await client.classify([b"payload"])


@pytest.mark.parametrize(
    ("scores", "cause"),
    [((0.1, 0.2, 0.7), "version 2 returns 3 scores, and there are 2 labels"), ((float("nan"),) * 2, "version 2 fails")],
)
async def test_the_answer_of_a_new_version_counts_only_after_its_check(
    model: FakeModel, scores: Sequence[float], cause: str
) -> None:
    contract = ModelContract("m", "address", labels=("cat", "dog"))
    async with fake_model_server(model) as address, open_channel(address) as channel:
        client = ServedClassifier(channel, contract, SAMPLE, SECONDS)
        assert await label(client) == "cat"
        model.version, model.scores = 2, lambda payload: scores if payload == SAMPLE else (0.9, 0.1)
        with pytest.raises(ModelMismatch, match=cause):
            await client.classify([b"payload"])


async def test_a_good_new_version_is_checked_once_and_loses_no_call(client: ServedClassifier, model: FakeModel) -> None:
    await label(client)
    model.version = 2
    assert await asyncio.gather(*(label(client) for _ in range(20))) == ["0"] * 20
    assert model.predicts.count([SAMPLE]) == 2


async def test_a_new_version_with_other_aliases_or_another_width_loses_no_call(
    client: ServedClassifier, model: FakeModel
) -> None:
    await label(client)
    model.version, model.scores = 2, lambda _: (0.1, 0.2, 0.7)
    model.signatures = {"serving_default": classifier(3, "other_in", "other_out")}
    assert await label(client) == "2"


async def test_a_mismatch_is_over_when_a_good_version_is_served(client: ServedClassifier, model: FakeModel) -> None:
    model.scores = refuse
    watch = asyncio.create_task(client.check.watch())
    try:
        await wait_until(lambda: isinstance(client.check.problem, ModelMismatch))
        model.version, model.scores = 2, lambda _: (0.9, 0.1)
        await client.check.wait_until_fits()
        assert client.check.problem is None
        assert await label(client) == "0"
    finally:
        watch.cancel()


async def test_a_new_bad_version_is_found_without_a_call(
    client: ServedClassifier, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract_check, "WATCH_INTERVAL_S", 0.01)
    watch = asyncio.create_task(client.check.watch())
    try:
        await client.check.wait_until_fits()
        model.version, model.signatures = 2, {"serving_default": signature({}, {})}
        await wait_until(lambda: isinstance(client.check.problem, ModelMismatch))
    finally:
        watch.cancel()


async def test_calls_during_a_mismatch_do_not_reach_the_model(client: ServedClassifier, model: FakeModel) -> None:
    model.scores = refuse
    outcomes = await asyncio.gather(*(client.classify([b"payload"]) for _ in range(50)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {ModelMismatch}
    assert {payload for payloads in model.predicts for payload in payloads} == {SAMPLE}
    assert len(model.predicts) <= 2, "of the first call, and of those that came during its check"


@pytest.mark.parametrize(
    ("state", "names", "error", "cause"),
    [
        (ModelVersionStatus.END, ("m",), ModelMismatch, "the server has unloaded every version"),
        (ModelVersionStatus.LOADING, ("m",), ModelUnavailable, "NOT_FOUND"),
        (ModelVersionStatus.AVAILABLE, ("n",), ModelMismatch, "the server has no model named 'm'"),
    ],
)
async def test_a_model_that_is_not_served_is_told_from_one_that_is_loading(
    client: ServedClassifier, model: FakeModel, state: int, names: tuple[str, ...], error: type[Exception], cause: str
) -> None:
    model.state, model.served_names = state, names
    with pytest.raises(error, match=cause):
        await client.classify([b"payload"])


async def test_a_model_that_is_replaced_by_one_of_another_name_is_a_mismatch(
    client: ServedClassifier, model: FakeModel
) -> None:
    await label(client)
    model.served_names = ("n",)
    with pytest.raises(ModelMismatch, match="no model named"):
        await client.classify([b"payload"])


async def test_no_cause_contains_an_address(client: ServedClassifier, model: FakeModel) -> None:
    model.served_names = ("n",)
    with pytest.raises(ModelMismatch) as mismatch:
        await client.classify([b"payload"])
    assert "the-address" in mismatch.value.change
    assert "the-address" not in mismatch.value.cause


async def test_a_server_that_restarts_with_a_bad_model_of_the_same_version_is_checked_again(
    model: FakeModel, contract: ModelContract
) -> None:
    port = free_port()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        client = ServedClassifier(channel, contract, SAMPLE, SECONDS)
        async with fake_model_server(model, port):
            await label(client)
        with pytest.raises(ModelUnavailable):
            await client.classify([b"payload"])
        bad = FakeModel(lambda payload: refuse(payload) if payload == SAMPLE else (0.9, 0.1))

        async def is_mismatched() -> bool:
            try:
                await client.classify([b"payload"])
            except ModelUnavailable:
                return False
            except ModelMismatch:
                return True
            pytest.fail("an unchecked model answered")

        async with fake_model_server(bad, port):
            await wait_until(is_mismatched)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL])
async def test_a_version_that_fails_every_call_is_a_mismatch(
    client: ServedClassifier, model: FakeModel, code: grpc.StatusCode
) -> None:
    await label(client)

    def fail(_: bytes) -> Sequence[float]:
        raise Refused(code)

    model.version, model.scores = 2, fail
    with pytest.raises(ModelMismatch, match="version 2 fails on a known-good input"):
        await client.classify([b"payload"])
