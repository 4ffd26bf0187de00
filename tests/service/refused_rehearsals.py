"""Rehearsals that the gate refuses: what it answered, and what was shown before."""

from __future__ import annotations

from lib.contract.states import Operation
from tests.service.refusals import Provoked, running
from tests.service.road import Road

ANOTHER_MODEL = {"kind": "reembed", "embedder": "wordllama"}


def rehearse_for_nothing(road: Road) -> Provoked:
    return road.start("rehearse", change=ANOTHER_MODEL), None


def rehearse_twice(road: Road) -> Provoked:
    with running(road, Operation.REHEARSE):
        return road.start("rehearse", change=ANOTHER_MODEL), road.gate("rehearse")


def throw_away_what_runs(road: Road) -> Provoked:
    with running(road, Operation.REHEARSE) as job_id:
        return road.api.delete(f"/api/rehearsals/{job_id}"), road.gate("rehearse")
