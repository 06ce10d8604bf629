"""Only ids cross Prefect, and it retries only failures of an OCR provider."""

import ast
import inspect

import pytest
from prefect.states import Failed

from flows.extract_batch import extract_batch
from octavo.errors import DOCUMENT_ERRORS, InternalError, OcrProviderError, StaleLease
from tasks.extract import RETRIES, extract, is_ocr_trouble
from tests.architecture.checkout import ROOT


def test_a_flow_run_is_given_the_batch_id_and_nothing_else() -> None:
    parameters = inspect.signature(extract_batch.fn).parameters
    assert {name: found.annotation for name, found in parameters.items()} == {"batch_id": str}


def test_a_task_run_is_given_a_slice_id_and_nothing_else() -> None:
    parameters = inspect.signature(extract.fn).parameters
    assert {name: found.annotation for name, found in parameters.items()} == {"slice_id": str}


def test_the_api_sends_prefect_the_batch_id_and_nothing_else() -> None:
    tree = ast.parse((ROOT / "api" / "orchestrator" / "dispatch.py").read_text(encoding="utf-8"))
    given = [
        ast.unparse(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "parameters"
    ]
    assert given == ["{'batch_id': run.batch_id}"]


def test_prefect_keeps_no_result_of_flow_or_task() -> None:
    assert extract_batch.persist_result is False
    assert extract.persist_result is False


def test_a_task_has_three_attempts() -> None:
    assert extract.retries == RETRIES == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OcrProviderError("the provider is down"), True),
        (InternalError("a defect"), False),
        (StaleLease("taken away"), False),
        (ValueError("anything else"), False),
        *((cls("the document's own"), cls is OcrProviderError) for cls in DOCUMENT_ERRORS.values()),
    ],
)
def test_only_trouble_of_an_ocr_provider_is_tried_again(error: Exception, expected: bool) -> None:
    run = object()
    assert is_ocr_trouble(extract, run, Failed(data=error)) is expected  # type: ignore[arg-type]
