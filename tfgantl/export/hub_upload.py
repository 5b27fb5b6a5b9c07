"""Uploads a published version to the Hugging Face Hub, with its model card in the form of the hub."""

import json
import shutil
import tempfile
from pathlib import Path

from tfgantl.errors import RunError, reason
from tfgantl.export.manifest import read_manifest, verify_files
from tfgantl.progress import log
from tfgantl.regular_files import read_regular
from tfgantl.untrusted.hugging_face import PAIR, SCHEME, installed, parsed
from tfgantl.untrusted.networks import load_network

TASKS = {"generate": "unconditional-image-generation", "classify": "image-classification"}  # by signature
DEFAULT_TASK = "image-feature-extraction"


def upload(version: Path, run: Path, handle: str, with_discriminator: bool = False) -> str:
    """Uploads a version and, if it is of a run, the Keras file of its generator, so that others can go on from it.

    Args:
        version: What was published.
        run: The run directory that it is of, or anything else.
        handle: `hf://owner/repository[@revision]`; a repository that is not there is made, and is private.
        with_discriminator: Upload that of the run, too. It tells more of the training pictures than all else does.

    Returns:
        Address of the commit.

    Raises:
        ArtifactError: If the library is not installed, the version is not what was published, or a file of the run is
            no network.
        RunError: If the hub refuses, or cannot be reached.
    """
    repository, revision, _ = parsed(handle, "to")
    hub = installed(handle)
    verify_files(version)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "repository"
        shutil.copytree(version, folder)
        (folder / "model_card.md").unlink()
        (folder / "README.md").write_text(hub_card(version), encoding="utf-8")
        for name in PAIR[: 1 + with_discriminator]:
            if (run / name).is_file():  # saved anew: what a stranger's run holds need not be what it is called
                load_network(run / name).save(folder / name)
        try:
            api = hub.HfApi()
            if not api.repo_exists(repository):
                api.create_repo(repository, private=True)
                log(f"{SCHEME}{repository}: a new repository, which only you can see; its settings make it public")
            done = api.upload_folder(
                repo_id=repository, folder_path=folder, revision=revision, commit_message=f"Upload {version.name}",
                delete_patterns=[*PAIR, "variables/*", "assets/*", "assets.extra/*"],  # of the version before
            )  # fmt: skip
        except Exception as error:  # the network has many ways to fail
            raise RunError(
                f"`to` must be a repository of the hub that you may write to (hf auth login); {version} is published "
                f"here. Received: {handle} ({reason(error)})"
            ) from error
    return str(done.commit_url)


def hub_card(version: Path) -> str:
    """The model card of a version, behind the facts that the hub searches by."""
    signatures = read_manifest(version)["signatures"]
    task = next((name for signature, name in TASKS.items() if signature in signatures), DEFAULT_TASK)
    facts = {"library_name": "keras", "pipeline_tag": task, "tags": ["tfgantl", "tensorflow", "savedmodel"]}
    lines = [f"{key}: {json.dumps(value)}" for key, value in facts.items()]  # JSON is YAML, too
    return "\n".join(["---", *lines, "---", "", read_regular(version / "model_card.md").decode()])
