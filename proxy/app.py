"""Builds the FastAPI application."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from proxy import endpoints, openapi, problems
from proxy.guide import TITLE, guide_routes
from proxy.head_requests import HeadRequests
from proxy.http_limits import BUDGET_KEY, LIMITS_KEY
from proxy.request_id import RequestId
from proxy.resources import resources
from proxy.root_path import RootPath
from proxy.settings import Settings
from service_settings import project_version


def create_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with resources(settings) as opened:
            app.state.resources = opened
            yield {LIMITS_KEY: settings.http_limits, BUDGET_KEY: opened.byte_budget}

    app = FastAPI(
        title=TITLE,
        summary="A fast model answers in the response; the answer of an accurate model can be fetched by job id.",
        version=project_version(),
        lifespan=lifespan,
        docs_url=None,  # guide_routes serve it
        redoc_url=None,
        redirect_slashes=False,  # a redirect's Location would contain the client's Host header
    )
    # Handles every POST /predict, because a Starlette route costs half as much as FastAPI's. FastAPI's route for the
    # same path, below, only serves the OpenAPI document.
    app.router.routes.insert(0, Route("/predict", endpoints.predict, methods=["POST"], include_in_schema=False))
    app.include_router(endpoints.router)
    app.include_router(endpoints.prediction_router(settings.input))
    app.router.routes.extend(guide_routes(settings.input))
    problems.register(app, settings.input)
    if settings.api_keys_file is not None:
        openapi.require_api_keys(app)
    app.add_middleware(HeadRequests)
    app.add_middleware(RequestId)
    if settings.root_path:
        app.add_middleware(RootPath, prefix=settings.root_path)
    return app
