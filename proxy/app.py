"""Builds the FastAPI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from proxy import endpoints, problems
from proxy.request_id import RequestId
from proxy.resources import resources
from proxy.settings import Settings
from service_settings import project_version


def create_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with resources(settings) as app.state.resources:
            yield

    app = FastAPI(
        title="Answer now, refine later",
        summary="A fast model answers in the response; the answer of an accurate model can be fetched by job id.",
        version=project_version(),
        lifespan=lifespan,
    )
    # Handles every POST /predict, because a Starlette route costs half as much as FastAPI's. FastAPI's route for the
    # same path, below, only serves the OpenAPI document.
    app.router.routes.insert(0, Route("/predict", endpoints.predict, methods=["POST"], include_in_schema=False))
    app.include_router(endpoints.router)
    problems.register(app)
    app.add_middleware(RequestId)
    return app
