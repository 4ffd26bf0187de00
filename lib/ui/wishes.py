"""What one may wish for workers: done at once with a way back where that is harmless, asked first where it stops the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from lib.contract.states import Desired
from lib.contract.workers import Worker
from lib.ui.dialogs import MAX_REASON, Answer, Question, ask, reason_input
from lib.ui.format import plural
from lib.ui.live import latest_queue
from lib.ui.notices import Notice, attempt, notify
from lib.ui.session import get_client

_VERBS = {Desired.PAUSED: "Pause", Desired.DRAINING: "Drain", Desired.RUNNING: "Resume"}
_WHAT = {Desired.PAUSED: "stop after the batch in hand", Desired.DRAINING: "finish what it holds and take nothing more"}
#: What a person may choose → seconds.
DEADLINES: dict[str, int | None] = {"No deadline": None, "1 minute": 60, "5 minutes": 300, "15 minutes": 900, "1 hour": 3600}


def reason_field() -> None:
    """Why, asked before the click, so that pausing one worker needs no dialog."""
    st.text_input(
        "Reason, if you pause or drain",
        max_chars=MAX_REASON,
        key=_reason_key(),
        placeholder="shown with your name wherever the effect is felt",
        width=360,
    )


def _reason_key() -> str:
    return f"wish_reason_{st.session_state.get('wishes', 0)}"


def _reason() -> str:
    return st.session_state.get(_reason_key()) or ""


def _forget_reason() -> None:
    """A reason is good for one wish: the next one starts with an empty field."""
    st.session_state["wishes"] = st.session_state.get("wishes", 0) + 1


def pause_one(worker: Worker) -> None:
    """Tier 1: reversible, so it is done and not asked about."""
    name, client = worker.worker_id, get_client()
    _act(
        lambda: client.pause_worker(name, _reason(), worker.desired),
        f"Paused {name}",
        failing=f"{name} was not paused",
        undo=partial(_put_back, client.resume_worker, name, "", Desired.PAUSED, f"{name} runs again"),
    )


def resume_one(worker: Worker) -> None:
    """Tier 1; it calls off a drain as well."""
    name, client = worker.worker_id, get_client()
    back = {Desired.PAUSED: client.pause_worker, Desired.DRAINING: client.drain_worker}[worker.desired]
    _act(
        lambda: client.resume_worker(name, "", worker.desired),
        f"Resumed {name}",
        failing=f"{name} was not resumed",
        undo=partial(_put_back, back, name, worker.desired_reason or "", Desired.RUNNING, f"{name} is {worker.desired} again"),
    )


def _act(wish: Callable[[], object], done: str, *, failing: str, undo: Callable[[], str] | None = None) -> None:
    if attempt(lambda: wish() or True, failing=failing):
        _forget_reason()
        notify(done, undo=undo)
    st.rerun()


def _put_back(wish: Callable[[str, str, Desired], object], name: str, reason: str, expected: Desired, done: str) -> str:
    """The way back from what was just done; refused when somebody has decided otherwise since."""
    wish(name, reason, expected)
    return done


def ask_drain(worker: Worker) -> None:
    """Tier 2: the worker is gone for the queue until somebody resumes it."""
    name = worker.worker_id
    holds = f"It is **{worker.doing}**; it finishes that" if worker.doing else "It holds nothing right now"
    ask(
        Question(
            title=f"Drain {name}?",
            body=f"{holds} and takes nothing more, until somebody resumes it. This survives a restart.",
            reversible="“Resume” undoes it at any time.",
            verb="Drain",
            perform=partial(_drain_one, worker),
            inputs=partial(_drain_input, _reason()),
        )
    )


def _drain_one(worker: Worker, chosen: tuple[str, int | None]) -> Notice:
    reason, deadline = chosen
    get_client().drain_worker(worker.worker_id, reason, worker.desired, deadline)
    _forget_reason()
    name = worker.worker_id
    undo = partial(_put_back, get_client().resume_worker, name, "", Desired.DRAINING, f"{name} runs again")
    return Notice(f"Draining {name}", undo=undo)


def _drain_input(known: str) -> Answer:
    reason = reason_input(known).value
    deadline = st.selectbox(
        "What is not finished after", list(DEADLINES), key="dialog_deadline", help="goes back to the queue, for the others"
    )
    return Answer((reason or "", DEADLINES[deadline]))


def ask_all(desired: Desired, workers: Sequence[Worker], *, chosen: bool) -> None:
    """Tier 2: it stops the pipeline, or part of it. What is sent says what was shown: when that has changed, nothing happens."""
    verb, moved = _VERBS[desired], [worker for worker in workers if worker.desired is Desired.RUNNING]
    queue = latest_queue()
    backlog = queue.backlog if queue else 0
    rows = f"**{plural(backlog, 'row')}** wait or are in work" if backlog else "Nothing waits right now; new rows will"
    follows = "the others go on with them" if chosen else "nothing becomes searchable until somebody resumes them"
    ask(
        Question(
            title=f"{verb} {_count(len(moved))}?",
            body=f"{'Each will' if len(moved) != 1 else 'It will'} {_WHAT[desired]}. {rows}: {follows}. This survives a restart.",
            reversible=f"“Resume {'them' if chosen else 'all'}” undoes it at any time.",
            verb=f"{verb} {len(moved)} chosen" if chosen else f"{verb} all",
            perform=partial(_wish_all, desired, list(workers), chosen),
            inputs=partial(_drain_input if desired is Desired.DRAINING else _pause_input, _reason()),
        )
    )


def _pause_input(known: str) -> Answer:
    return Answer((reason_input(known).value or "", None))


def _wish_all(desired: Desired, workers: list[Worker], chosen: bool, answer: tuple[str, int | None]) -> Notice:
    reason, deadline = answer
    client, moved = get_client(), [worker for worker in workers if worker.desired is Desired.RUNNING]
    names, shown = _names(workers) if chosen else None, {worker.worker_id: worker.desired for worker in workers}
    if desired is Desired.DRAINING:
        client.drain_workers(reason, names, shown, deadline)
    else:
        client.pause_workers(reason, names, shown)
    _forget_reason()
    done = "Draining" if desired is Desired.DRAINING else "Paused"
    return Notice(f"{done} {_count(len(moved))}", undo=partial(_resume_again, _names(moved), desired))


def _resume_again(names: list[str], expected: Desired) -> str:
    get_client().resume_workers("", names, dict.fromkeys(names, expected))
    return f"{_count(len(names))} run again" if len(names) > 1 else f"{names[0]} runs again"


def resume_all(workers: Sequence[Worker], *, chosen: bool) -> None:
    """Tier 1: work goes on."""
    held = [worker for worker in workers if worker.desired is not Desired.RUNNING]
    shown = {worker.worker_id: worker.desired for worker in workers}
    names = _names(workers) if chosen else None
    done = f"Resumed {plural(len(held), f'{workers[0].role} worker')}"
    _act(lambda: get_client().resume_workers("", names, shown), done, failing="Nothing was resumed", undo=partial(_hold_again, held))


def _hold_again(held: Sequence[Worker]) -> str:
    """Each as it was, with the reason it had. A drain's deadline does not come back."""
    client = get_client()
    for desired, wish in ((Desired.PAUSED, client.pause_workers), (Desired.DRAINING, client.drain_workers)):
        for reason in dict.fromkeys(worker.desired_reason or "" for worker in held if worker.desired is desired):
            names = _names([worker for worker in held if worker.desired is desired and (worker.desired_reason or "") == reason])
            wish(reason, names, dict.fromkeys(names, Desired.RUNNING))
    return f"{plural(len(held), f'{held[0].role} worker')} held as before"


def _names(workers: Sequence[Worker]) -> list[str]:
    return [worker.worker_id for worker in workers]


def _count(number: int) -> str:
    return plural(number, "embedding worker")
