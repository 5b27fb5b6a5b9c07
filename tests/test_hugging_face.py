"""Sources from the Hugging Face Hub: from the cache of its library, and from an endpoint on loopback."""

import base64
import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import yaml
from conftest import TINY_DCGAN
from modules import tf2_module

from tfgantl.errors import ArtifactError
from tfgantl.pipelines.export import main
from tfgantl.pretrained import load_generator, load_source
from tfgantl.untrusted import hugging_face
from tfgantl.untrusted.networks import load_network

constants = pytest.importorskip("huggingface_hub.constants")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the library, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    return tmp_path / "hub"


@pytest.fixture
def fill(cache):
    """Fills the cache as the library leaves it: files are links to what is named by its hash."""

    def make(repository, files, revision="main"):
        home = cache / f"models--{repository.replace('/', '--')}"
        (home / "blobs").mkdir(parents=True, exist_ok=True)
        (home / "refs").mkdir(exist_ok=True)
        (home / "refs" / revision).write_text(COMMIT)
        for name, content in files.items():
            blob = home / "blobs" / hashlib.sha256(content).hexdigest()
            blob.write_bytes(content)
            place = home / "snapshots" / COMMIT / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(blob)

    return make


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Files of a pair."""
    path = tmp_path_factory.mktemp("pair")
    for network in TINY_DCGAN.build(8, 1):
        network.save(path / f"{network.name}.keras")
    return {name: (path / name).read_bytes() for name in hugging_face.PAIR}


def test_a_pair_in_the_cache_needs_no_network(fill, pair):
    fill("me/my-gan", {**pair, "README.md": b"# A card", "other.keras": b"no network"})
    gan = load_source("hf://me/my-gan")
    alone = load_generator("hf://me/my-gan@main/generator.keras")
    z = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(gan.generator(z), alone(z))
    assert gan.discriminator.name == "discriminator"


def test_a_saved_model_in_the_cache_is_wrapped(fill, tmp_path):
    module = tf2_module(tmp_path / "module")
    fill("me/module", {str(p.relative_to(module)): p.read_bytes() for p in module.rglob("*") if p.is_file()})
    z = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(load_generator("hf://me/module")(z), load_generator(str(module))(z))


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        (["weights/pair.safetensors", "gan.pkl", "README.md"], "weights/pair.safetensors"),
        (["network.pt", "network.pkl"], "network.pt"),
        (["deep/er/gan.keras", "config.json"], "deep/er/gan.keras"),
    ],
    ids=["safetensors first", "pickles last", "folders"],
)
def test_the_only_file_of_the_best_kind_is_taken(fill, cache, files, taken):
    fill("me/gan", {name: name.encode() for name in files})
    assert hugging_face.resolve("hf://me/gan").read_bytes() == taken.encode()


@pytest.mark.parametrize(
    ("handle", "files", "told"),
    [
        ("hf://me/gan", ["a.pt", "b.pt"], r"must name a file of the repository.*with a\.pt, b\.pt"),
        ("hf://me/gan", ["README.md"], "must be a repository with one of .safetensors.* with README.md"),
        ("hf://me/gan/b.pt", ["a.pt"], "must be in the cache of the Hugging Face Hub .* or can be downloaded"),
        ("hf://me/gan@v2", ["a.pt"], "must be in the cache of the Hugging Face Hub .* or can be downloaded"),
        ("hf://me", [], r"must be hf://owner/repository\[@revision\]\[/file\]. Received: hf://me$"),
        ("hf://me/gan/../../x.pt", [], "must be hf://owner"),
        ("hf://me/gan@../x", [], "must be hf://owner"),
    ],
    ids=["several", "none", "another file", "another revision", "no repository", "upwards", "revision upwards"],
)
def test_what_is_not_there_or_not_plain_is_refused_in_one_line(fill, handle, files, told):
    fill("me/gan", {name: b"x" for name in files})
    with pytest.raises(ArtifactError, match=told) as refusal:
        load_generator(handle)
    assert "\n" not in str(refusal.value)


def test_a_repository_is_downloaded_once(cache, pair, monkeypatch):
    asked = []

    class Endpoint(BaseHTTPRequestHandler):
        def respond(self):
            asked.append(f"{self.command} {self.path}")
            name = self.path.rpartition("/")[2]
            body = pair.get(name)
            if self.path.startswith("/api/models/me/remote"):
                listed = [{"type": "file", "path": one, "size": len(pair[one]), "oid": "0" * 40} for one in pair]
                info = {"id": "me/remote", "sha": COMMIT, "siblings": [{"rfilename": one} for one in pair]}
                body = json.dumps(listed if "/tree/" in self.path else info).encode()
            self.send_response(200 if body is not None else 404)
            if body is not None:
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET" and body is not None:
                self.wfile.write(body)

        do_GET = do_HEAD = respond  # noqa: N815

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        first = load_generator("hf://me/remote")
        server.shutdown()
    downloads = [line for line in asked if line.startswith("GET") and line.endswith(".keras")]
    assert sorted(line.rpartition("/")[2] for line in downloads) == sorted(pair)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    z = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(load_generator("hf://me/remote")(z), first(z))


class UploadEndpoint(BaseHTTPRequestHandler):
    """Answers as the hub does to somebody who has no repository yet, and keeps what is committed."""

    committed: dict[str, bytes] = {}  # noqa: RUF012
    created: list[dict] = []  # noqa: RUF012

    def answer(self, status, body, **headers):
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):  # noqa: N802
        names = [{"type": "file", "path": name, "size": 1, "oid": "0" * 40} for name in self.committed]
        if not self.created:
            self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        elif "/tree/" in self.path:
            self.answer(200, names)
        else:
            info = {"id": "me/new", "sha": COMMIT, "siblings": [{"rfilename": name} for name in self.committed]}
            self.answer(200, info)

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create":
            self.created.append(json.loads(body))
            self.answer(200, {"url": f"http://{self.headers['Host']}/me/new", "name": "me/new"})
        elif "/preupload/" in self.path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self.answer(200, {"files": files})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.decode().splitlines()):
                if line["key"] == "file":
                    self.committed[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del self.committed[line["value"]["path"]]
            self.answer(
                200,
                {"commitUrl": f"http://{self.headers['Host']}/me/new/commit/1", "commitOid": COMMIT, "success": True},
            )
        else:
            self.answer(200, {"errors": [], "warnings": []})  # what it thinks of the front matter

    def log_message(self, *args):
        pass


def test_a_version_is_uploaded_with_its_card_and_the_pair(cache, pair, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    monkeypatch.setattr(UploadEndpoint, "committed", {})
    monkeypatch.setattr(UploadEndpoint, "created", [])
    (tmp_path / "run").mkdir()
    for name, content in pair.items():
        (tmp_path / "run" / name).write_bytes(content)
    with ThreadingHTTPServer(("127.0.0.1", 0), UploadEndpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        export = ["--model", str(tmp_path / "run"), "--export_dir", str(tmp_path / "model"), "--to", "hf://me/new"]
        assert main([*export, "--with_discriminator"]) == 0, capsys.readouterr().err
        told, sent = capsys.readouterr(), dict(UploadEndpoint.committed)
        assert main(export) == 0, capsys.readouterr().err
        assert set(sent) - set(UploadEndpoint.committed) == {"discriminator.keras"}  # it tells of training pictures
        export[1] = str(tmp_path / "run" / "generator.keras")  # no pair: that of before must not stay beside it
        assert main(export) == 0, capsys.readouterr().err
        server.shutdown()
    assert "/me/new/commit/1" in told.out and "which only you can see" in told.err
    assert set(sent) - set(UploadEndpoint.committed) == set(pair)
    version = tmp_path / "model" / "1"
    (made,) = UploadEndpoint.created
    assert made.get("visibility") == "private" or made.get("private") is True  # by the version of the library
    for name in pair:
        (tmp_path / "sent.keras").write_bytes(sent[name])
        again, first = load_network(tmp_path / "sent.keras"), load_network(tmp_path / "run" / name)
        for one, other in zip(again.get_weights(), first.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert sent["saved_model.pb"] == (version / "saved_model.pb").read_bytes() and "model_card.md" not in sent
    front = yaml.safe_load(sent["README.md"].decode().split("---")[1])
    assert front["pipeline_tag"] == "unconditional-image-generation" and front["library_name"] == "keras"
    assert sent["README.md"].decode().endswith((version / "model_card.md").read_text())


def test_what_is_no_network_is_not_uploaded(cache, pair, tmp_path, capsys):
    (tmp_path / "secret").write_text("-----BEGIN PRIVATE KEY-----")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "generator.keras").write_bytes(pair["generator.keras"])
    (tmp_path / "run" / "discriminator.keras").symlink_to(tmp_path / "secret")
    export = ["--model", str(tmp_path / "run"), "--export_dir", str(tmp_path / "model"), "--to", "hf://me/new"]
    assert main([*export, "--with_discriminator"]) == 4 and "discriminator.keras" in capsys.readouterr().err


def test_an_upload_that_cannot_be_is_told_in_one_line(cache, pair, tmp_path, capsys):
    (tmp_path / "generator.keras").write_bytes(pair["generator.keras"])
    export = ["--model", str(tmp_path / "generator.keras"), "--export_dir", str(tmp_path / "model"), "--to"]
    assert main([*export, "hf://me/new"]) == 5
    told = capsys.readouterr().err
    assert (
        "`to` must be a repository of the hub that you may write to" in told
        and "is published" in told
        and "Traceback" not in told
    )
    with pytest.raises(SystemExit) as ended:
        main([*export, "hf://me/new/file.keras"])
    assert ended.value.code == 2 and "`to` must be hf://owner/repository[@revision]" in capsys.readouterr().err


def test_the_library_is_named_if_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ArtifactError, match=r"huggingface_hub must be installed: pip install 'tfgantl\[hub\]'"):
        load_generator("hf://me/gan")
