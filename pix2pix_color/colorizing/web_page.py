"""A web page that colors photographs, as an ASGI application.

A visitor's photograph stays in memory, under a name that only the visitor
knows, until it is replaced or unused for a while. Nothing is written to disk.
What the visitor decides (hints, saturation) stays in the browser and comes with
every request:

    GET     /about                       what the page must know
    POST    /photographs                 an image file -> name and size
    DELETE  /photographs/NAME            forgets it
    GET     /photographs/NAME/gray       JPEG without color, reduced
    POST    /photographs/NAME/color      settings -> JPEG in color, reduced
    POST    /photographs/NAME/full       settings -> PNG in color, whole size
    POST    /photographs/NAME/likely     a place -> its likely colors
    POST    /photographs/NAME/reference  an image file -> hints from it

The settings are JSON: hints as in hints_file.py, saturation, alternative.
"""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
from typing import Any, AsyncIterator, Callable, NamedTuple, Optional, Sequence

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from data_pipelines.errors import UserError
from pix2pix_color.colorizing import hints_file
from pix2pix_color.colorizing.open_photographs import (OpenPhotograph,
                                                       OpenPhotographs)
from pix2pix_color.colorizing.photograph import (NoPhotographError, Photograph,
                                                 read_photograph,
                                                 write_photograph)
from pix2pix_color.colorizing.reference import Reference
from pix2pix_color.colorizing.web_requests import (Guard, in_chunks, read_body,
                                                   read_json, refuse)
from pix2pix_color.saved_model import find
from pix2pix_color.saved_model.load import LoadedModel, gray_of

_FILES = pathlib.Path(__file__).parent / "page"
# Longest side of what the page shows, pixels.
_SHOWN_SIDE = 1600
# Seconds after which an unused photograph is forgotten.
FORGOTTEN_AFTER = 900
# What is kept in memory for all visitors.
_MAX_PHOTOGRAPHS, _MAX_BYTES = 200, 2**30
_UPLOADS_AT_ONCE, _UPLOAD_SECONDS = 16, 300
_MAX_HINTS = 500
_MAX_ALTERNATIVE, _MAX_SATURATION = 20, 10.0


def build_app(model: LoadedModel, *, examples: str, max_pixels: int,
              max_upload_mb: int, hosts: Optional[Sequence[str]] = None,
              forgotten_after: float = FORGOTTEN_AFTER) -> Starlette:
    """Builds the application.

    Args:
      model: the colorizer.
      examples: folder of JPEGs; some of them are offered.
      max_pixels: height times width of the largest image that is decoded.
      max_upload_mb: megabytes of the largest file.
      hosts: host names by which the page may be asked for; None for any.
      forgotten_after: seconds after which an unused photograph is forgotten.
    """
    page = _Page(model, examples, max_pixels, max_upload_mb, forgotten_after)
    one = "/photographs/{name}"
    return Starlette(
        routes=[
            Route("/about", page.about),
            Route("/photographs", page.open, methods=["POST"]),
            Route(one, page.remove, methods=["DELETE"]),
            Route(one + "/gray", page.gray),
            *(Route(f"{one}/{action.__name__}", action, methods=["POST"])
              for action in (page.color, page.full, page.likely,
                             page.reference)),
            Mount("/examples", StaticFiles(directory=examples)),
            Mount("/", StaticFiles(directory=_FILES, html=True)),
        ],
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={HTTPException: refuse}, lifespan=page.lifespan)


class _Settings(NamedTuple):
    """A visitor's settings; hints is float32 [K, 4], as in hints_file.py."""

    hints: np.ndarray = np.zeros((0, 4), np.float32)
    saturation: float = 1.0
    seed: Optional[int] = None


class _Page:
    """The answers to all requests."""

    def __init__(self, model: LoadedModel, examples: str, max_pixels: int,
                 max_upload_mb: int, forgotten_after: float) -> None:
        self._model, self._max_pixels = model, max_pixels
        self._max_upload_mb = max_upload_mb
        self._forgotten_after = forgotten_after
        self._opened = OpenPhotographs(
            forgotten_after=forgotten_after, max_number=_MAX_PHOTOGRAPHS,
            max_bytes=_MAX_BYTES)
        self._examples = sorted(name for name in os.listdir(examples)
                                if name.endswith(".jpg"))
        self._uploading = asyncio.Semaphore(_UPLOADS_AT_ONCE)
        # What is shown does not wait until a large photograph was opened or
        # written. Each kind of work is done for one visitor at a time.
        self._quick, self._slow = (
            concurrent.futures.ThreadPoolExecutor(1) for _ in range(2))

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        forgetting = asyncio.create_task(self._forget())
        yield
        forgetting.cancel()
        self._quick.shutdown(wait=False, cancel_futures=True)
        self._slow.shutdown(wait=False, cancel_futures=True)

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(self._forgotten_after / 15)
            self._opened.forget_unused()

    async def about(self, _: Request) -> Response:
        step = max(1, len(self._examples) // 8)
        return JSONResponse({
            "model": describe(self._model),
            "takes_hints": self._model.takes_hints,
            "alternatives": _MAX_ALTERNATIVE if self._model.has_noise else 0,
            "max_upload_mb": self._max_upload_mb,
            "examples": self._examples[::step][:8]})

    async def open(self, request: Request) -> Response:
        def work(content: bytes) -> OpenPhotograph:
            photograph = self._read(content)
            height, width = photograph.rgb.shape[:2]
            return OpenPhotograph(content, height, width, _reduced(photograph))

        opened = await self._of_upload(request, work)
        return JSONResponse({"name": self._opened.add(opened),
                             "width": opened.width, "height": opened.height})

    async def remove(self, request: Request) -> Response:
        self._opened.remove(request.path_params["name"])
        return Response(status_code=204)

    async def gray(self, request: Request) -> Response:
        shown = self._find(request).shown
        return await self._jpeg(shown, lambda: gray_of(shown.rgb))

    async def color(self, request: Request) -> Response:
        opened = self._find(request)
        settings = await self._settings(request, opened)
        return await self._jpeg(
            opened.shown,
            lambda: _colored(self._model, opened.shown.rgb, settings))

    async def _jpeg(self, shown: Photograph,
                    paint: Callable[[], np.ndarray]) -> Response:
        return Response(await _in_thread(self._quick, lambda: write_photograph(
            Photograph(paint(), icc_profile=shown.icc_profile),
            file_format="jpeg")), media_type="image/jpeg")

    async def full(self, request: Request) -> Response:
        opened = self._find(request)
        settings = await self._settings(request, opened)

        def work() -> bytes:
            photograph = self._read(opened.content)
            rgb = _colored(self._model, photograph.rgb, settings)
            return write_photograph(dataclasses.replace(photograph, rgb=rgb),
                                    file_format="png")

        content = await _in_thread(self._slow, work)
        return StreamingResponse(
            in_chunks(content), media_type="image/png",
            headers={"Content-Length": str(len(content))})

    async def likely(self, request: Request) -> Response:
        self._require_hints()
        opened = self._find(request)
        if not self._model.offers_likely_colors:
            return JSONResponse([])
        place = await read_json(request)
        try:
            point = np.array([[(place["y"] + 0.5) / opened.height,
                               (place["x"] + 0.5) / opened.width]], np.float32)
        except (KeyError, TypeError, ValueError):
            raise HTTPException(400, "A place has x and y.") from None
        ab, probabilities = await _in_thread(
            self._quick,
            lambda: self._model.likely_colors(opened.shown.rgb, point))
        return JSONResponse([
            {"a": a, "b": b, "probability": probability} for (a, b), probability
            in zip(ab[0].tolist(), probabilities[0].tolist())])

    async def reference(self, request: Request) -> Response:
        self._require_hints()
        opened = self._find(request)
        found = await self._of_upload(
            request, lambda content: Reference(
                self._model, _reduced(self._read(content)).rgb).find_hints(
                    opened.shown.rgb))
        return JSONResponse([
            {"x": int(x * opened.width), "y": int(y * opened.height),
             "a": a, "b": b} for y, x, a, b in found.tolist()])

    def _read(self, content: bytes) -> Photograph:
        try:
            return read_photograph(content, max_pixels=self._max_pixels)
        except NoPhotographError as error:
            raise HTTPException(
                400, f"This file cannot be colored: {error}.") from None

    def _find(self, request: Request) -> OpenPhotograph:
        opened = self._opened.find(request.path_params["name"])
        if opened is None:
            raise HTTPException(
                404, "This photograph was forgotten, as every one is after a "
                     "while. Please open it again.")
        return opened

    def _require_hints(self) -> None:
        if not self._model.takes_hints:
            raise HTTPException(400, "This model takes no hints.")

    async def _of_upload(self, request: Request,
                         work: Callable[[bytes], Any]) -> Any:
        async with self._uploading:
            try:
                content = await asyncio.wait_for(read_body(
                    request, self._max_upload_mb * 10**6,
                    f"This file is too large: at most {self._max_upload_mb} "
                    f"megabytes can be sent."), _UPLOAD_SECONDS)
            except asyncio.TimeoutError:
                raise HTTPException(408, "Sending took too long.") from None
            return await _in_thread(self._slow, lambda: work(content))

    async def _settings(self, request: Request,
                        opened: OpenPhotograph) -> _Settings:
        given = await read_json(request)
        entries = given.get("hints", [])
        saturation = given.get("saturation", 1.0)
        alternative = given.get("alternative", 0)
        if entries:
            self._require_hints()
        if not isinstance(entries, list) or len(entries) > _MAX_HINTS:
            raise HTTPException(400, f"At most {_MAX_HINTS} hints can be used.")
        if (not isinstance(saturation, (int, float))
                or not 0 <= saturation <= _MAX_SATURATION):
            raise HTTPException(400, f"The saturation must be in 0.."
                                     f"{_MAX_SATURATION:g}.")
        if (not isinstance(alternative, int)
                or not 0 <= alternative <= _MAX_ALTERNATIVE):
            raise HTTPException(400, f"The alternative must be in 0.."
                                     f"{_MAX_ALTERNATIVE}.")
        try:
            hints = hints_file.parse_hints(
                entries, "This file", height=opened.height, width=opened.width)
        except UserError as error:
            raise HTTPException(400, f"{error}.") from None
        return _Settings(hints, float(saturation),
                         alternative if alternative and not entries else None)


def warm_up(model: LoadedModel) -> None:
    """Traces what the first visitor would wait for."""
    blank = np.zeros((64, 64, 3), np.uint8)
    _colored(model, blank, _Settings())
    if model.takes_hints:
        _colored(model, blank, _Settings(np.full((1, 4), 0.5)))
    if model.offers_likely_colors:
        model.likely_colors(blank, np.full((1, 2), 0.5))


def _colored(model: LoadedModel, rgb: np.ndarray,
             settings: _Settings) -> np.ndarray:
    field = model.predict_field(rgb, seed=settings.seed, hints=settings.hints)
    return model.recolor(rgb, field.scaled(settings.saturation))


def describe(model: LoadedModel) -> str:
    """Returns a sentence that says which model answers."""
    if model.directory == find.NAME:
        return "The colors come from the trained colorizer of pix2pix_color."
    names = [part for part in pathlib.Path(model.directory).parts
             if part != "export" and not part.isdecimal()]
    step = model.card.get("step")
    trained_for = f", trained for {step} steps" if step else ""
    return f"The colors come from the model {names[-1]}{trained_for}."


def _reduced(photograph: Photograph) -> Photograph:
    """Returns a photograph as it is shown."""
    picture = Image.fromarray(photograph.rgb)
    picture.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE), reducing_gap=3.0)
    return Photograph(np.asarray(picture), icc_profile=photograph.icc_profile)


async def _in_thread(pool: concurrent.futures.Executor,
                     work: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(pool, work)
