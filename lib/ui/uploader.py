"""Files from the browser. With the embedded service they go straight to the API in slices and never through Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit as st

from lib.client.errors import ClientError, NotFound
from lib.ui.format import format_size
from lib.ui.notices import Notice, Trouble, attempt, describe_error, show_trouble
from lib.ui.session import Keys, get_client, is_embedded, now

SLICE_BYTES = 8 << 20
_CLEARED = "uploader_cleared"


def _asset(kind: str) -> str:
    return (Path(__file__).parent / "assets" / f"uploader.{kind}").read_text("utf-8")


_component = st.components.v2.component("switchyard_upload", html=_asset("html"), css=_asset("css"), js=_asset("js"))


@dataclass(frozen=True)
class Accepted:
    """What kind of file a place takes: the words of the place, the endings of names, and the setting that limits the size.

    ``only``: a name that ends otherwise is refused before its first byte; sheets are known by what is in them.
    """

    what: str
    endings: tuple[str, ...]
    setting: str
    only: bool = False


SHEETS = Accepted("Choose a CSV, Excel or Parquet file", (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".parquet"), "Largest upload")
INDEX_FILES = Accepted("Choose a FAISS file or a snapshot", (".faiss", ".switchyard.tar"), "Largest index file", only=True)


def show_uploader(limit_bytes: int, accepted: Accepted = SHEETS) -> str | None:
    """The place to drop a file; the upload's id once all of it has arrived."""
    if not is_embedded():
        return _show_small_uploader(limit_bytes, accepted)
    goal = st.session_state.get(Keys.UPLOADS)
    result = _component(
        key="uploader",
        data={"goal": goal, "what": accepted.what, "accept": ",".join(accepted.endings), "cleared": st.session_state.get(_CLEARED, 0)},
        on_chosen_change=_nothing,
        on_done_change=_nothing,
        on_failed_change=_nothing,
        on_expired_change=_nothing,
        on_stopped_change=_nothing,
    )
    return _answer(result, limit_bytes, accepted)


def clear_uploader() -> None:
    """The file that had arrived was taken: the place is empty again."""
    st.session_state[_CLEARED] = st.session_state.get(_CLEARED, 0) + 1


def _answer(result: Any, limit_bytes: int, accepted: Accepted) -> str | None:
    """React to the one thing the browser reported in this run."""
    if result.done:
        st.session_state.pop(Keys.UPLOADS, None)
        return str(result.done)
    if result.stopped:
        st.session_state.pop(Keys.UPLOADS, None)
    elif result.failed:
        st.session_state.pop(Keys.UPLOADS, None)
        st.error(
            f"The upload broke off ({result.failed.get('status') or 'no connection'}). "
            "Choose the same file again: it goes on where it stopped.",
            icon=":material/error:",
        )
    elif result.chosen:
        _begin(result.chosen["name"], int(result.chosen["size"]), int(result.chosen["modified"]), limit_bytes, accepted)
    elif result.expired and (goal := st.session_state.get(Keys.UPLOADS)):
        _set_goal(goal["upload_id"], goal["name"])
    return None


def _begin(name: str, size: int, modified: int, limit_bytes: int, accepted: Accepted) -> None:
    if refusal := why_not_taken(name, size, limit_bytes, accepted):
        st.session_state[Keys.NOTICE] = Notice(trouble=refusal)
        clear_uploader()
        st.rerun()
    st.session_state.pop(Keys.NOTICE, None)  # what was wrong with the file before it is over
    begun: dict[tuple[str, int, int], str] = st.session_state.setdefault("uploads_begun", {})
    file = (name, size, modified)
    upload_id = begun.get(file)
    if upload_id is not None and not _still_there(upload_id):
        upload_id = None
    if upload_id is None:
        upload = attempt(lambda: get_client().create_upload(name, size), failing=f"{name} was not uploaded")
        if upload is None:
            st.rerun()
        upload_id = begun[file] = upload.upload_id
    _set_goal(upload_id, name)


def why_not_taken(name: str, size: int, limit_bytes: int, accepted: Accepted) -> Trouble | None:
    """Why a file is refused before its first byte; None when it may come."""
    what = f"{name} was not uploaded"
    if accepted.only and not name.lower().endswith(accepted.endings):
        return Trouble(what, "It is another kind of file.", f"Bring one whose name ends in {' or '.join(accepted.endings)}.")
    if size > limit_bytes:
        limit = f"It has {format_size(size)}; at most {format_size(limit_bytes)} are taken."
        return Trouble(what, limit, f"Settings → {accepted.setting} raises the limit.")
    return None


def _set_goal(upload_id: str, name: str) -> None:
    """Tell the browser where to send; a new token makes it begin."""
    path = f"/api/uploads/{quote(upload_id)}"
    ticket = attempt(lambda: get_client().create_ticket("PUT", path), failing=f"{name} was not uploaded")
    if ticket is not None:
        token = now().isoformat()
        st.session_state[Keys.UPLOADS] = {
            "upload_id": upload_id,
            "name": name,
            "url": path,
            "ticket": ticket.ticket,
            "slice": SLICE_BYTES,
            "token": token,
        }
    st.rerun()


def _still_there(upload_id: str) -> bool:
    try:
        get_client().get_upload_offset(upload_id)
    except NotFound:
        return False
    except ClientError as error:
        show_trouble(describe_error(error, "The upload could not be resumed"))
        return False
    return True


def _show_small_uploader(limit_bytes: int, accepted: Accepted) -> str | None:
    """The service is elsewhere, where a browser may not send: the file passes through the console."""
    limit_mib = min(int(st.get_option("server.maxUploadSize")), limit_bytes >> 20)
    file = st.file_uploader(
        f"{accepted.what}, at most {limit_mib} MiB here because the service is on another host",
        type=[ending.rpartition(".")[2] for ending in accepted.endings],
        key="small_uploader",
    )
    if file is None or not st.button("Upload", type="primary", icon=":material/upload:", key="small_upload"):
        return None
    with st.spinner("Uploading …"):
        upload = attempt(lambda: get_client().upload_file(file.name, file.getvalue()), failing=f"{file.name} was not uploaded")
    if upload is None:
        st.rerun()
    return upload.upload_id


def _nothing() -> None:
    """A trigger needs a callback to be reported; what it says is read from the result."""
