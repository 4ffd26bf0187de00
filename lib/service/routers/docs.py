"""The contract itself: the OpenAPI document, and a page to read it that loads nothing from elsewhere."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from lib.service.routers.deps import Viewer

router = APIRouter(tags=["docs"])

_STYLE = (
    "body{font:15px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "td{padding:.2rem .8rem .2rem 0;vertical-align:top}code{white-space:nowrap}"
)
_PAGE = (
    '<!doctype html><html lang="en"><title>Switchyard API</title><style>{style}</style><h1>Switchyard API</h1><table>{table}</table></html>'
)


@router.get("/api/openapi.json", response_class=JSONResponse)
def get_openapi(request: Request, _: Viewer) -> JSONResponse:
    """Every route, with its models, errors and the role it needs."""
    return JSONResponse(request.app.openapi())  # as it is: to look through all of it again would take a tenth of a second


@router.get("/api/docs", response_class=HTMLResponse)
def get_docs(request: Request, _: Viewer) -> str:
    """The routes as a page."""
    rows = []
    for path, methods in request.app.openapi()["paths"].items():
        for method, route in methods.items():
            address = f"<code>{method.upper()} {escape(path)}</code>"
            cells = (address, escape(route.get("x-role", "none")), escape(route.get("description", "")))
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    table = "<tr><th>Route</th><th>Role</th><th>What it does</th></tr>" + "".join(rows)
    return _PAGE.format(style=_STYLE, table=table)
