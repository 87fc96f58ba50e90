"""Says where to look: `/docs`, which needs no internet, `/`, and `GET /predict`."""

from typing import Final

from fastapi import Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from service_settings import project_version

TITLE: Final = "Answer now, refine later"
ASSETS: Final = "/docs/assets"
"""Swagger UI's files, which the package fastapi-offline contains. FastAPI's own page loads them from the internet."""
HOW_TO_POST: Final = {
    "image": 'send an image with POST: curl -F image=@cat.jpg …/predict, or JSON {"image_data": "<base64>"}',
    "text": 'send a text with POST: JSON {"text": "…"}, or a body of the type text/plain',
    "bytes": 'send data with POST: JSON {"data": "<base64>"}, or a body of the type application/octet-stream',
}


def guide_routes(input_: str) -> list[BaseRoute]:
    async def how_to_post(request: Request) -> Response:
        detail = f"{HOW_TO_POST[input_]}; {_root_path(request)}/docs describes it"
        raise HTTPException(405, detail, {"Allow": "POST", "Link": _links(request)})

    return [
        Route("/", _index),
        Route("/predict", how_to_post),
        Route("/docs", _docs),
        Mount(ASSETS, StaticFiles(packages=[("fastapi_offline", "static")])),
    ]


async def _index(request: Request) -> Response:
    root_path = _root_path(request)
    paths = {"docs": "/docs", "openapi": "/openapi.json", "predict": "/predict", "job": "/job/{job_id}"}
    body = {"title": TITLE, "version": project_version(), **{name: root_path + path for name, path in paths.items()}}
    return Response(to_json(body), headers={"Link": _links(request)}, media_type="application/json")


async def _docs(request: Request) -> Response:
    root_path = _root_path(request)
    return get_swagger_ui_html(
        openapi_url=f"{root_path}/openapi.json",
        title=TITLE,
        swagger_js_url=f"{root_path}{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{root_path}{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{root_path}{ASSETS}/favicon.png",
    )


def _links(request: Request) -> str:
    """The link relations of RFC 8631."""
    root_path = _root_path(request)
    return f'<{root_path}/docs>; rel="service-doc", <{root_path}/openapi.json>; rel="service-desc"'


def _root_path(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
