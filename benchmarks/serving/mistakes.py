"""Requests that a server must refuse, each by another rule of TensorFlow Serving's REST API, and with what.

The benchmark sends them at random among good ones, and the tests one by one.
"""

import base64
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """A request, and how it is refused.

    Args:
        path: Path of the address.
        message: Regular expression that the message matches.
        body: JSON, or what is sent in its place.
        status: Status of the answer, whose body is `{"error": message}`.
        method: Method of HTTP.
    """

    path: str
    message: str
    body: str | bytes = "{}"
    status: int = 400
    method: str = "POST"


def of_addresses(model: str) -> dict[str, Mistake]:
    """Addresses that lead nowhere, and methods that are not those of the API."""
    url = f"/v1/models/{model}"
    nines = "9" * 5000
    found = {
        "other model": (f"{url}x:predict", rf"Servable not found for request: Latest\({model}x\)", 404),
        "other version": (f"{url}/versions/9:predict", rf"not found for request: Specific\({model}, 9\)", 404),
        "label": (f"{url}/labels/stable:predict", "Unrecognized servable version label: stable", 400),
        "classify": (f"{url}:classify", "Expected classification signature method_name", 400),
        "regress": (f"{url}:regress", "Expected regression signature method_name", 400),
        "classify by another model": (f"{url}x:classify", "Servable not found", 404),
        "unknown verb": (f"{url}:explain", f"Malformed request: POST {url}:explain", 400),
        "verb of other letters": (f"{url}:cla%C5%BF%C5%BFify", "Malformed request: POST", 400),
        "unknown path": ("/v1/nothing", "Malformed request: POST /v1/nothing", 400),
        "version that is no number": (f"{url}/versions/one:predict", "Malformed request: POST", 400),
        "huge version": (f"{url}/versions/{nines}:predict", "Failed to convert version", 400),
    }
    mistakes = {name: Mistake(path, message, "{}", status) for name, (path, message, status) in found.items()}
    looked_up = {
        "outside": ("/nothing", "There is nothing at /nothing", 404),
        "predict by GET": (f"{url}:predict", f"Malformed request: GET {url}:predict", 400),
        "no model": ("/v1/models", "Missing model name", 400),
        "status of another model": (f"{url}x", f"Could not find any versions of model {model}x", 404),
        "status of another version": (f"{url}/versions/7", f"Could not find any version 7 of model {model}", 404),
        "status of a label": (f"{url}/labels/stable", "Unrecognized servable version label: stable", 400),
        "status of a huge version": (f"{url}/versions/{2**64}", "Failed to convert version", 400),
        "metadata of another model": (f"{url}x/metadata", "Servable not found", 404),
    }
    mistakes |= {name: Mistake(path, text, "", status, "GET") for name, (path, text, status) in looked_up.items()}
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        mistakes[f"{method} of a model"] = Mistake(url, f"Malformed request: {method}", "", 400, method)
        mistakes[f"{method} of predict"] = Mistake(f"{url}:predict", f"Malformed request: {method}", "{}", 400, method)
    return mistakes


def of_generator(model: str, classes: int, latent_dim: int, max_body: int) -> dict[str, Mistake]:
    """Bodies that a conditional generator refuses.

    Args:
        model: Name of the model.
        classes: Number of classes.
        latent_dim: Length of the noise.
        max_body: Most bytes that the server takes.
    """
    one = {"seed": 1, "labels": 1}
    latents = json.dumps([0.0] * (latent_dim - 1))[1:-1]

    def rows(*instances, **changes):
        return json.dumps({"signature_name": "generate", "instances": [one, *instances], **changes})

    def columns(inputs):
        return json.dumps({"signature_name": "generate", "inputs": inputs})

    def nested(levels, **changes):
        return rows(**changes).replace('"X"', "[" * levels + "]" * levels)

    def first_latent(number):
        return f'{{"instances": [{{"latents": [{number}, {latents}], "labels": 1}}]}}'

    found: dict[str, tuple] = {
        "empty body": ("", "JSON Parse error: The document is empty"),
        "no JSON": ("{", "JSON Parse error: Invalid value"),
        "half of a body": (rows()[:40], "JSON Parse error: Invalid value"),
        "no text": (b"\xff\xfe", "JSON Parse error"),
        "random bytes": (bytes(range(255, 0, -1)), "JSON Parse error"),
        "a form": ("seed=1&labels=1", "JSON Parse error"),
        "compressed": (b"\x1f\x8b\x08\x00\x00\x00", "JSON Parse error"),
        "no object": ("[]", "Request body is not a JSON object"),
        "signature is no string": (rows(signature_name=3), "'signature_name' key must be a string value"),
        "no such signature": (rows(signature_name="x"), 'Serving signature name: "x" not found in signature def'),
        "signature of a classifier": (rows(signature_name="classify"), '"classify" not found in signature def'),
        "both formats": (rows(inputs={}), "expecting only one of 'inputs' or 'instances' keys to exist"),
        "neither format": ("{}", "Missing 'inputs' or 'instances' key"),
        "no rows": (rows(instances=[]), "No values in 'instances' array"),
        "rows are no list": (rows(instances=one), "Expecting 'instances' value to be an array"),
        "row is no object": (rows(1), "Expecting an object"),
        "missing key": (rows({"seed": 1}), "keys must be equal to: labels,seed"),
        "extra key": (rows({**one, "x": 1}), "keys must be equal to: labels,seed"),
        "float seed": (rows({**one, "seed": 1.0}), "1.0 Type: Number is not of expected type: int64"),
        "text seed": (rows({**one, "seed": "1"}), "Type: String is not of expected type: int64"),
        "true seed": (rows({**one, "seed": True}), "Type: Bool is not of expected type: int64"),
        "null seed": (rows({**one, "seed": None}), "Type: Null is not of expected type: int64"),
        "file as seed": (rows({**one, "seed": {"b64": "AAAA"}}), "Type: Object is not of expected type: int64"),
        "huge seed": (rows({**one, "seed": 2**63}), "is not of expected type: int64"),
        "seed beyond all integers": (rows({**one, "seed": 2**70}), "is not of expected type: int64"),
        "huge label": (rows({**one, "labels": 2**31}), "is not of expected type: int32"),
        "float label": (rows({**one, "labels": 0.5}), "0.5 Type: Number is not of expected type: int32"),
        "label that is no class": (rows({**one, "labels": classes}), rf"labels must be in \[0, {classes - 1}\]"),
        "negative label": (rows({**one, "labels": -1}), rf"labels must be in \[0, {classes - 1}\]"),
        "nested seed": (rows(instances=[{**one, "seed": [1]}]), r"input seed must have the shape \[-1\]"),
        "ragged": (
            rows(instances=[{**one, "seed": [1]}, {**one, "seed": [1, 2]}]), "unexpected size: 2 at level: 1",
        ),
        "half a surrogate pair": (r'{"signature_name": "\ud800", "instances": [1]}', "not found in signature def"),
        "nested deep": (nested(65, instances=[{**one, "seed": "X"}]), "at most 64 dim"),
        "nested too deep": (nested(5000, instances="X"), "Terminate parsing"),
        "deep": ("[" * 9_000, "JSON Parse error: Terminate parsing"),
        "huge number": ('{"instances": [' + "1" * 5000 + "]}", "Number too big"),
        "plain rows for several inputs": (rows(instances=[[1, 2]]), "instances is a plain list, but expecting"),
        "list among numbers": (rows({**one, "seed": [1]}), "Type: Array is not of expected type"),
        "number among lists": (rows(instances=[{**one, "seed": [1]}, one]), "Expecting a list at level 1"),
        "too many rows": (rows(*[one] * 256), "must have at most 256 rows"),
        "missing input": (columns({"seed": [1]}), "Missing named input: labels in"),
        "plain inputs": (columns([1]), "expecting an object/map as multiple"),
        "unequal inputs": (columns({"seed": [1, 2], "labels": [1]}), "equal 0th-dimension size"),
        "scalar inputs": (columns({"seed": 1, "labels": 1}), r"must have the shape \[-1\]"),
        "short latents": (
            '{"instances": [{"latents": [0], "labels": 1}]}', rf"latents must have the shape \[-1, {latent_dim}\]",
        ),
        "latents that are not finite": (first_latent("NaN"), "must be finite"),
        "infinite latents": (first_latent("-Infinity"), "must be finite"),
        "latents beyond float32": (first_latent("1e39"), "must be finite"),
        "latents beyond float64": (first_latent("1" * 400), "must be finite"),
        "null latents": (first_latent("null"), "Type: Null is not of expected type: float"),
    }  # fmt: skip
    path = f"/v1/models/{model}:predict"
    mistakes = {name: Mistake(path, message, body) for name, (body, message) in found.items()}
    large = Mistake(path, f"must have at most {max_body} bytes", "x" * (max_body + 1), 413)
    return {**mistakes, "too large": large}


def of_classifier(model: str) -> dict[str, Mistake]:
    """Pictures that a classifier refuses."""
    bomb = b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d49484452") + (100_000).to_bytes(4, "big") * 2

    def files(*values):
        return json.dumps({"signature_name": "classify", "instances": list(values)})

    def file(content):
        return {"b64": base64.b64encode(content).decode()}

    found = {
        "bad base64": (files({"b64": "a"}), "Unable to base64 decode"),
        "base64 with other letters": (files({"b64": "A*AA"}), "Unable to base64 decode"),
        "URL-safe base64": (files({"b64": "_-8="}), "Unable to base64 decode"),
        "base64 that is no string": (files({"b64": 1}), "is not of expected type: string|keys must be equal to"),
        "more than base64": (files(file(b"") | {"x": 1}), "keys must be equal to: image_bytes"),
        "number as file": (files(1), "Type: Number is not of expected type: string"),
        "no file": (files(file(b"")), "must be a PNG or JPEG file"),
        "GIF": (files(file(b"GIF89a")), "must be a PNG or JPEG file"),
        "text": (files("picture.png"), "must be a PNG or JPEG file"),
        "bomb": (files(file(bomb)), "must have at most 16000000 pixels"),
        "half a picture": (files(file(bomb[:20])), "."),
        "half a surrogate pair in a file": (files("X").replace("X", r"\ud800"), "surrogate pair in string is invalid"),
        "pictures as lists": (files([file(b"GIF89a")]), r"image_bytes must have the shape \[-1\]"),
        "images that are not finite": ('{"instances": [[[[NaN]]]]}', "must have the shape"),
    }
    path = f"/v1/models/{model}:predict"
    return {name: Mistake(path, message, body) for name, (body, message) in found.items()}
