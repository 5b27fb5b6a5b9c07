"""The routes: those of TensorFlow Serving's REST API, health, metrics, and one page for people."""

import asyncio
import json
import re
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from tfgantl.errors import reason
from tfgantl.serving.origins import SameOrigin
from tfgantl.serving.request_error import InvalidArgument, NotFound, RequestError
from tfgantl.serving.servable import Servable
from tfgantl.serving.served_model import ServedModel
from tfgantl.serving.slots import Slots

# As in the source of TensorFlow Serving; letters of any case.
PREDICT = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?:(classify|regress|predict)", re.I | re.A
)
STATUS = re.compile(r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(/metadata)?", re.I | re.A)
CLOSING = 1.0  # seconds for batches that are computed after everybody who waited for them has been sent away
SMALL = 2**16  # bytes of a body that is read in no time
POLICY = "default-src 'none'; frame-ancestors 'none'; connect-src 'self'; img-src 'self' data:; " + "; ".join(
    f"{kind}-src 'unsafe-inline'" for kind in ("script", "style")
)


class Metrics:
    """What Prometheus reads, under names of this server's own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("tfgantl_requests", "Requests", ["verb", "status"], registry=self.registry)
        self.seconds = Histogram("tfgantl_request_seconds", "Time of requests", ["verb"], registry=self.registry)
        self.batches = Counter("tfgantl_batches", "Batches run", registry=self.registry)
        sizes = (1, 2, 4, 8, 16, 32, 64, 128, 256)
        self.rows = Histogram("tfgantl_batch_rows", "Rows a batch", buckets=sizes, registry=self.registry)

    def batch(self, requests: int, rows: int) -> None:
        """Counts one batch."""
        self.batches.inc()
        self.rows.observe(rows)


def make_app(
    model: ServedModel,
    metrics: Metrics,
    max_body: int,
    max_requests: int,
    timeout: float = 30.0,
    host: str = "127.0.0.1",
    allow_host: tuple[str, ...] = (),
) -> Starlette:
    """The ASGI application.

    Args:
        model: What it serves.
        metrics: Where it counts.
        max_body: Most bytes of a request.
        max_requests: Most requests at one time; the next ones get 429.
        timeout: Seconds that a prediction may take, from the first byte of its body on; then it gets 504.
        host: Address that it listens on.
        allow_host: Hosts that are answered beside this machine.
    """
    slots = Slots(max_requests, max_body)

    async def answer(request: Request) -> Response:
        start, verb = time.perf_counter(), "other"
        try:
            slots.check()
            path = request.url.path
            if request.method == "POST" and (match := PREDICT.fullmatch(path)):
                verb = match[4].lower()
                name, number, label = match.groups()[:3]
                response = await predict(request, name, number, label, verb)
            elif request.method == "GET" and (match := STATUS.fullmatch(path)):
                verb = "metadata" if match[4] else "status"
                response = look_up(*match.groups())
            elif path.lower() == "/v1" or path.lower().startswith("/v1/"):
                raise InvalidArgument(f"Malformed request: {request.method} {path}")
            else:
                raise NotFound(f"There is nothing at {path}")
        except RequestError as error:
            response = _refused(str(error), error.status)
        except ClientDisconnect:
            response = _refused("The client has gone", 499)
        except Exception as error:
            traceback.print_exc()
            response = _refused(reason(error), 500)
        metrics.requests.labels(verb, response.status_code).inc()
        metrics.seconds.labels(verb).observe(time.perf_counter() - start)
        return response

    async def predict(request: Request, name: str, number: str | None, label: str | None, verb: str) -> Response:
        version = _number(number, label)
        if verb != "predict":
            model.version(name, version)
            kind = {"classify": "classification", "regress": "regression"}[verb]
            wanted = f"Expected {kind} signature method_name to be tensorflow/serving/{verb}."
            raise InvalidArgument(f"{wanted} Was: tensorflow/serving/predict")
        deadline = time.monotonic() + timeout
        try:
            async with asyncio.timeout(timeout):
                body = await slots.body(request)
                with slots.taken():
                    if len(body) < SMALL:
                        future = model.predict(name, version, body, deadline)
                    else:  # others must not wait for it
                        future = await asyncio.to_thread(model.predict, name, version, body, deadline)
                    return Response(await asyncio.wrap_future(future), media_type="application/json")
        except TimeoutError as error:
            raise RequestError(f"Deadline of {timeout:g} seconds exceeded", 504) from error

    def look_up(name: str | None, number: str | None, label: str | None, metadata: str | None) -> Response:
        if name is None:
            raise InvalidArgument("Missing model name in request.")
        if not metadata:
            return JSONResponse(model.status(name, _number(number, label)))
        version, servable = model.version(name, _number(number, label))
        spec = {"name": name, "signature_name": "", "version": str(version)}
        return JSONResponse({"model_spec": spec, "metadata": servable.metadata()})

    async def alive(request: Request) -> Response:
        return Response("alive\n", media_type="text/plain")

    async def ready(request: Request) -> Response:
        return Response("ready\n" if model.ready else "loading\n", 200 if model.ready else 503, media_type="text/plain")

    async def show_metrics(request: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def page(request: Request) -> Response:
        text = (files("tfgantl") / "templates" / "page.html").read_text().replace("MODEL_NAME", model.name)
        return Response(text, media_type="text/html", headers={"Content-Security-Policy": POLICY})

    async def picture(request: Request) -> Response:
        """What the adaptation did, for the page."""
        found = serving().picture if model.ready else None
        return Response(found, media_type="image/png") if found else JSONResponse({"error": "there is none"}, 404)

    async def manifest(request: Request) -> Response:
        """What the version that serves is, for the page."""
        try:
            found = serving().manifest
        except RequestError:
            found = None
        if found is None:
            return JSONResponse({"error": "there is none"}, 404)
        return Response(found, media_type="application/json")

    def serving() -> Servable:
        return model.version(model.name, None)[1]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(model.close, CLOSING)

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        await (await answer(Request(scope, receive)))(scope, receive, send)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/before_after.png", picture),
            Route("/manifest.json", manifest),
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/monitoring/prometheus/metrics", show_metrics),
            Mount("/", api),  # everything else, with every method
        ],
        middleware=[Middleware(SameOrigin, host=host, allow_host=allow_host)],
        lifespan=lifespan,
    )


def _number(number: str | None, label: str | None) -> int | None:
    if label is not None:
        raise InvalidArgument(f"Unrecognized servable version label: {label}")
    if number is not None and (len(number) > 19 or int(number) >= 2**63):
        raise InvalidArgument(f"Failed to convert version: {number} to numeric.")
    return None if number is None else int(number)


def _refused(message: str, status: int) -> Response:
    # ASCII: a message may quote half of a surrogate pair.
    return Response(json.dumps({"error": message}), status, media_type="application/json")
