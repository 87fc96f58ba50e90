"""Which models fit the contract, and what a mismatch says about the others."""

from datetime import timedelta
from typing import Literal

import pytest

from service_settings import IMAGENET_LABELS, ServiceSettings
from tests.fake_model_server import FakeModel, Tensors, classifier, fake_model_server, signature
from tf_serving_client import (
    ModelContract,
    ModelDescription,
    ModelMismatch,
    ServedClassifier,
    ServedModel,
    open_channel,
)
from tf_serving_client.protos import SignatureDef

SOME_STRINGS: Tensors = {"text": ("string", [-1])}
SOME_SCORES: Tensors = {"probabilities": ("float32", [-1, 3])}


def fit(signatures: dict[str, SignatureDef], contract: ModelContract | None = None) -> ServedModel:
    return (contract or ModelContract("m", "address")).fit(ModelDescription(7, signatures))


@pytest.mark.parametrize("shape", [[-1], None], ids=["rank 1", "unknown rank"])
@pytest.mark.parametrize("width", [3, -1], ids=["known width", "unknown width"])
def test_any_aliases_fit(shape: list[int] | None, width: int) -> None:
    served = fit({"serving_default": signature({"text": ("string", shape)}, {"p": ("float32", [-1, width])})})
    assert (served.version, served.signature.input, served.signature.output) == (7, "text", "p")
    assert served.width == (3 if width == 3 else None)
    assert list(served.labels) == (["0", "1", "2"] if width == 3 else [])


def test_the_only_output_of_scores_is_chosen_among_others() -> None:
    outputs: Tensors = {"classes": ("string", [-1, 3]), "logits": ("float32", [-1, 3]), "id": ("int64", [-1])}
    served = fit({"serving_default": signature(SOME_STRINGS, outputs)})
    assert served.signature.output == "logits"
    assert served.signature.has_other_outputs


def test_without_a_fitting_default_the_only_signature_that_fits_is_chosen() -> None:
    tensors: Tensors = {"x": ("float32", [-1, 4])}
    signatures = {
        "serving_default": signature(tensors, SOME_SCORES),
        "from_text": classifier(3),
        "init": signature({}, {}),
    }
    assert fit(signatures).signature.name == "from_text"
    signatures["serving_default"] = classifier(5)
    assert fit(signatures).signature.name == "serving_default"
    assert fit(signatures, ModelContract("m", "address", signature="from_text")).signature.name == "from_text"


@pytest.mark.parametrize(
    ("inputs", "outputs", "cause"),
    [
        ({**SOME_STRINGS, "length": ("int64", [-1])}, SOME_SCORES, "takes 2 tensors (length, text)"),
        ({"x": ("float32", [-1, 224, 224, 3])}, SOME_SCORES, "takes 'x' float32 [N, 224, 224, 3]"),
        ({"text": ("string", [-1, 1])}, SOME_SCORES, "takes 'text' string [N, 1]"),
        ({"text": ("string", [1])}, SOME_SCORES, "takes 'text' string [1]"),
        (SOME_STRINGS, {}, "returns nothing"),
        (SOME_STRINGS, {"y": ("int64", [-1, 3])}, "returns 'y' int64 [N, 3]"),
        (SOME_STRINGS, {"y": ("double", [-1, 3])}, "returns 'y' float64 [N, 3]"),
        (SOME_STRINGS, {"y": ("float32", [-1])}, "returns 'y' float32 [N]"),
        (
            SOME_STRINGS,
            {"probs": ("float32", [-1, 3]), "emb": ("float32", [-1, 64]), "id": ("int64", [-1])},
            "returns several float32 [N, L] tensors ('emb', 'probs'): keep one",
        ),
        (SOME_STRINGS, {"y": ("float32", [-1, 1])}, "returns a single score, as in regression"),
    ],
)
def test_a_mismatch_says_what_the_signature_has_instead(inputs: Tensors, outputs: Tensors, cause: str) -> None:
    with pytest.raises(ModelMismatch) as mismatch:
        fit({"serving_default": signature(inputs, outputs)})
    assert cause in mismatch.value.cause
    assert "version 7" in mismatch.value.cause
    assert mismatch.value.expected
    assert mismatch.value.change


def test_a_missing_signature_is_named_with_those_that_exist() -> None:
    contract = ModelContract("m", "address", "ACCURATE", signature="classify")
    with pytest.raises(ModelMismatch, match=r"has no signature 'classify', only a, b.*ACCURATE_SIGNATURE"):
        fit({"a": classifier(2), "b": classifier(2)}, contract)


def test_one_of_several_fitting_signatures_must_be_chosen() -> None:
    with pytest.raises(ModelMismatch, match=r"several signatures fit: a, b.*set FAST_SIGNATURE"):
        fit({"a": classifier(2), "b": classifier(2)})


def test_the_number_of_labels_must_be_the_number_of_scores() -> None:
    contract = ModelContract("m", "address", labels=("cat", "dog"))
    assert list(fit({"serving_default": classifier(2)}, contract).labels) == ["cat", "dog"]
    with pytest.raises(ModelMismatch, match=r"returns 3 scores, and there are 2 labels.*set FAST_LABELS"):
        fit({"serving_default": classifier(3)}, contract)


def test_a_model_has_its_own_labels_or_those_of_both_models(monkeypatch: pytest.MonkeyPatch) -> None:
    own, both = str(IMAGENET_LABELS), str(IMAGENET_LABELS.with_name("SOURCE.md"))
    monkeypatch.setenv("LABELS", both)
    assert str(ServiceSettings().accurate.labels) == both
    monkeypatch.setenv("ACCURATE_LABELS", own)
    assert str(ServiceSettings().accurate.labels) == own


def test_only_the_models_of_the_demo_have_labels_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ServiceSettings().accurate.labels == IMAGENET_LABELS
    monkeypatch.setenv("ACCURATE_MODEL", "my_own")
    assert ServiceSettings().accurate.labels is None


@pytest.mark.parametrize(("kind", "score"), [("softmax", 3.0), ("logits", 0.952574)])
async def test_logits_are_normalized_if_the_settings_say_so_and_logged_if_not(
    kind: Literal["softmax", "logits"], score: float, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = ModelContract("m", "address", scores=kind)
    async with fake_model_server(FakeModel(lambda _: (3.0, 0.0))) as address, open_channel(address) as channel:
        [prediction] = await ServedClassifier(channel, contract, b"sample", timedelta(seconds=20)).classify(
            [b"payload"]
        )
    assert prediction.score == pytest.approx(score, abs=1e-6)
    assert ("set FAST_SCORES=logits" in capsys.readouterr().out) == (kind == "softmax")
