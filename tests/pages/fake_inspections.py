"""The part of the fake client that looks into files, restores and goes back."""

from __future__ import annotations

from typing import Any

from lib.contract.golden import GoldenDifference
from lib.contract.index import SearchHit
from lib.contract.inspections import GoBackReading, InspectedComparison, InspectedFacts, InspectedResult, Inspection, Obstacle, SampleRow
from lib.contract.operations import Gate, Reason
from lib.contract.states import AnswerChange, JobState, Operation, Verdict
from tests.pages.canned import ago, job, now

INSPECTION_ID = "9" * 32
RESTORE_ID = "8" * 32


def inspection(**more: Any) -> Inspection:
    facts: dict[str, Any] = {
        "inspection_id": INSPECTION_ID,
        "name": "before the big clean-up",
        "verdict": Verdict.GOOD,
        "facts": InspectedFacts(
            kind="IDMap2,Flat",
            dimension=256,
            vectors=150,
            metric="inner_product",
            size_bytes=159_744,
            sha256="9" * 64,
            has_ids=True,
            first_id=1,
            last_id=150,
            norm_min=1.0,
            norm_mean=1.0,
            norm_max=1.0,
            self_hits=64,
            self_tried=64,
            embedder="wordllama:l2_supercat_256:1",
            generation=3,
            built_at=ago(hours=5),
            sample=[SampleRow(entry_id=1, key="KB-001", text="Customer cannot log in."), SampleRow(entry_id=2)],
        ),
        "comparison": InspectedComparison(
            served_generation=4,
            table_vectors=160,
            in_both=140,
            only_in_file=10,
            only_in_table=20,
            changed=5,
            compared=135,
            queries=100,
            recall_ratio=1.0,
            recall_low_ratio=1.0,
            recall_high_ratio=1.0,
            recall_served_ratio=1.0,
        ),
        "questions_asked": 3,
        "gate": Gate(allowed=True),
        "taken_at": now(),
    }
    return Inspection(**(facts | more))


def worse() -> Inspection:
    """A tenth of its vectors is under the wrong ids."""
    sound = inspection()
    assert sound.comparison is not None
    return inspection(
        verdict=Verdict.WORSE,
        flags=["14 of 135 unchanged rows hold another vector than the table's.", "1 golden question gets a worse answer."],
        comparison=sound.comparison.model_copy(update={"wrong": 14, "recall_ratio": 0.81}),
        questions=[GoldenDifference(question_id="q", text="Who is on call?", change=AnswerChange.REGRESSED)],
    )


def refused() -> Inspection:
    return inspection(
        name="evil.faiss",
        verdict=Verdict.REFUSED,
        facts=None,
        comparison=None,
        questions_asked=0,
        obstacles=[Obstacle(fault="names_another_file", detail="Its lists lie in another file, whose name it carries.")],
        gate=Gate(allowed=False, reason_code=Reason.NOT_RESTORABLE, reason_text="It cannot be served."),
    )


def strange() -> Inspection:
    """A FAISS file of another model."""
    sound = inspection()
    assert sound.facts is not None
    faults = [Obstacle(fault="no_manifest", detail="Only a complete set."), Obstacle(fault="wrong_dimension", detail="64, not 256.")]
    return inspection(verdict=Verdict.STRANGE, facts=sound.facts.model_copy(update={"dimension": 64}), obstacles=faults)


class FakeInspections:
    """Answers from the canned readings of whoever has them."""

    inspection: Inspection
    previous: int | None

    def _note(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def _act(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def start_inspection(self, request: Any, idempotency_key: str | None = None) -> str:
        self._act("start_inspection", request, idempotency_key)
        return INSPECTION_ID

    def get_inspection(self, inspection_id: str) -> Inspection:
        self._note("get_inspection", inspection_id)
        return self.inspection

    def search_inspection(self, inspection_id: str, text: str, k: int = 10) -> InspectedResult:
        self._note("search_inspection", inspection_id, text, k)
        hits = [SearchHit(key="KB-001", text="Customer cannot log in.", score=0.8)]
        return InspectedResult(inspection_id=inspection_id, hits=hits, unknown=2, seconds=0.3, taken_at=now())

    def start_restore(self, request: Any, idempotency_key: str | None = None) -> str:
        self._act("start_restore", request, idempotency_key)
        return RESTORE_ID

    def get_go_back(self) -> GoBackReading:
        self._note("get_go_back")
        nothing = Gate(allowed=False, reason_code=Reason.NO_EARLIER_GENERATION, reason_text="There is no earlier generation.")
        return GoBackReading(served=3, previous=self.previous, gate=Gate(allowed=True) if self.previous else nothing)

    def go_back(self, request: Any) -> GoBackReading:
        self._act("go_back", request)
        return GoBackReading(served=request.generation, previous=None, gate=Gate(allowed=True))


def inspected_job() -> Any:
    return job(Operation.INSPECT, JobState.SUCCEEDED, job_id=INSPECTION_ID)
