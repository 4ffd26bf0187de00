"""Golden questions: kept, changed, and how each generation answered them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lib.contract.errors import ErrorCode
from lib.contract.golden import GoldenComparison, GoldenQuestion, GoldenReading, GoldenRequest
from lib.service import golden
from lib.service.routers.deps import Operator, RequestId, ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/golden", tags=["index"])

_CHANGES = problems(ErrorCode.REFUSED, ErrorCode.CROSS_SITE)
RunId = Annotated[str | None, Query(max_length=64)]


@router.get("")
def list_golden_questions(_: Viewer, services: ServicesDep) -> GoldenReading:
    """Every question with its newest answer, and the trend over generations."""
    return golden.list_golden_questions(services.database)


@router.post("", status_code=201, responses=_CHANGES)
def create_golden_question(body: GoldenRequest, who: Operator, services: ServicesDep, request_id: RequestId) -> GoldenQuestion:
    """Save a question; the answer says how the served generation does with it."""
    ask = services.search.answer_question
    return golden.create_golden_question(services.database, body, ask, actor=who.actor, request_id=request_id)


@router.get("/comparison", responses=problems(ErrorCode.NOT_FOUND))
def compare_golden_runs(_: Viewer, services: ServicesDep, before: RunId = None, after: RunId = None) -> GoldenComparison:
    """Which answers changed between two runs; the newest two unless named."""
    return golden.compare_golden_runs(services.database, before=before, after=after)


@router.put("/{question_id}", responses=_CHANGES | problems(ErrorCode.NOT_FOUND))
def put_golden_question(
    question_id: str, body: GoldenRequest, who: Operator, services: ServicesDep, request_id: RequestId
) -> GoldenQuestion:
    """Change a question; the answer says how the served generation does with it."""
    ask = services.search.answer_question
    return golden.put_golden_question(services.database, question_id, body, ask, actor=who.actor, request_id=request_id)


@router.delete("/{question_id}", status_code=204, responses=problems(ErrorCode.NOT_FOUND, ErrorCode.CROSS_SITE))
def delete_golden_question(question_id: str, who: Operator, services: ServicesDep, request_id: RequestId) -> None:
    """Forget a question; runs that asked it keep its answers."""
    golden.delete_golden_question(services.database, question_id, actor=who.actor, request_id=request_id)
