"""What a published generator with directions answers to."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, TINY_STYLEGAN2, tiny_images
from PIL import Image

import tfgantl
from tfgantl.editing.directions import Direction, Directions, moved
from tfgantl.editing.encoder import build_encoder, encoder_name
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ArtifactError, DataError
from tfgantl.export.edit_signatures import editing_signatures
from tfgantl.export.manifest import read_manifest
from tfgantl.images import encode_png, to_uint8
from tfgantl.pipelines.export import main as export

KINDS = {"z": (TINY_DCGAN, 3), "w+": (TINY_STYLEGAN2, None)}


def directions_of(space):
    vectors = np.random.default_rng(0).normal(size=(2, *space.shape)).astype("f4")
    found = [Direction(name, "pca", v, v, 1.0) for name, v in zip(("one", "two"), vectors, strict=True)]
    return Directions(space.generator_hash, space.name, tuple(found))


@pytest.fixture(scope="module", params=KINDS)
def edited(request, tmp_path_factory):
    """A run with directions and an encoder, published: its space, directions, encoder and version."""
    networks, classes = KINDS[request.param]
    keras.utils.set_random_seed(1)
    run = tmp_path_factory.mktemp("edited") / "run"
    (run / "editing").mkdir(parents=True)
    generator = networks.build(8, 1, classes)[0]
    generator.save(run / "generator.keras")
    (run / "config.yaml").write_text("{}\n")
    space = LatentSpace(generator)
    directions, encoder = directions_of(space), build_encoder(space)
    directions.save(run / "editing" / "directions.npz")
    encoder.save(run / "editing" / encoder_name(space, "0"))
    assert export(["--model", str(run), "--export_dir", str(run.parent / "exported")]) == 0
    version = run.parent / "exported" / "1"
    return space, directions, encoder, version, tf.saved_model.load(str(version)).signatures, run


def pixels(outputs):
    files = outputs["png_bytes"].numpy()
    return np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])[..., None]


def test_edits_are_those_of_python(edited):
    space, directions, encoder, _, signatures, _ = edited
    labels = space.labels(3)
    given = {} if labels is None else {"labels": tf.constant(labels)}
    latents = np.random.default_rng(3).normal(size=(3, space.latent_dim)).astype("f4")
    codes = space.of_latents(latents, labels)
    names, strengths = ["one", "two", "one"], np.array([0.0, 1.5, -2.0], "f4")
    expected = np.concatenate([
        moved(space, codes[i : i + 1], directions[name], float(strength))
        for i, (name, strength) in enumerate(zip(names, strengths, strict=True))
    ])  # fmt: skip
    images = to_uint8(space.images(expected, labels))
    named = {"latents": tf.constant(latents), "direction": tf.constant(names), "strength": tf.constant(strengths)}
    np.testing.assert_allclose(pixels(signatures["edit"](**named, **given)).astype(int), images, atol=1)
    both = np.array([[0, 0], [0, 1.5], [-2, 0]], "f4")
    of_codes = given if space.reads_labels else {}
    found = signatures["edit_codes"](codes=tf.constant(codes), strengths=tf.constant(both), **of_codes)
    np.testing.assert_allclose(pixels(found).astype(int), images, atol=1)
    if space.name != "z":
        np.testing.assert_allclose(signatures["codes"](latents=tf.constant(latents))["codes"], codes, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="direction must be one of one, two"):
        signatures["edit"](**{**named, "direction": tf.constant(["one", "three", "one"])}, **given)
    # Nothing is stretched over several rows.
    for name, endpoint, inputs in (("strength", "edit", named), ("direction", "edit", named), (
        "strengths", "edit_codes", {"codes": tf.constant(codes), "strengths": tf.constant(both)}
    )):  # fmt: skip
        more = of_codes if endpoint == "edit_codes" else given
        with pytest.raises(tf.errors.InvalidArgumentError, match="inputs must have as many rows"):
            signatures[endpoint](**{**inputs, name: inputs[name][:1]}, **more)


def test_numbers_that_lead_nowhere_are_told_and_are_no_black_pictures(edited):
    space, _, _, _, signatures, _ = edited
    labels = {"labels": tf.constant([0])} if space.num_classes else {}
    of_codes = labels if space.reads_labels else {}
    codes, latents = tf.zeros((1, *space.shape)), tf.zeros((1, space.latent_dim))
    asked = [("edit_codes", {"codes": codes, "strengths": tf.constant([[1e19, 0.0]]), **of_codes}),
             ("edit_codes", {"codes": codes - 3e38, "strengths": tf.zeros((1, 2)), **of_codes}),
             ("serving_default", {"latents": latents + 1e19, **labels})]  # fmt: skip
    if space.name != "z":
        asked.append(("codes", {"latents": latents + 1e19, **labels}))
    for endpoint, inputs in asked:
        with pytest.raises(tf.errors.InvalidArgumentError, match="finite, and at most 1e.06 in absolute value"):
            signatures[endpoint](**inputs)
    with pytest.raises(DataError, match="codes must lead to finite images. Received: some up to inf"):
        space.images(np.full((1, *space.shape), np.inf, "f4"), None if not space.reads_labels else np.zeros(1, int))


def test_pictures_are_inverted_by_the_encoder(edited):
    space, _, encoder, _, signatures, _ = edited
    picture = tiny_images(1, 8, 1)[0]
    found = signatures["invert"](image_bytes=tf.constant([encode_png(picture)]))
    u, *logits = tf.nest.flatten(encoder(picture[None] / 127.5 - 1.0))
    np.testing.assert_allclose(found["codes"], space.from_whitened(u), atol=1e-4)
    if logits:
        assert found["label"].numpy() == logits[0].numpy().argmax(1)


def test_the_manifest_has_the_directions_for_the_page(edited):
    *_, version, _, _ = edited
    manifest = read_manifest(version)
    assert manifest["directions"] == {"one": [-3.0, 3.0], "two": [-3.0, 3.0]}
    assert {"edit", "edit_codes", "invert", "serving_default"} <= set(manifest["signatures"])


def test_directions_of_another_model_are_refused(edited):
    space, directions, *_ = edited
    other = Directions("0" * 12, space.name, directions.all)
    with pytest.raises(ArtifactError, match="directions must be of the model"):
        editing_signatures(space.generator, other)


def test_an_editor_does_the_same_with_arrays(edited):
    space, directions, *_, run = edited
    editor = tfgantl.Editor(str(run), encoder_steps=0, steps=2, restarts=1, weights="none")
    codes = editor.sample(3)
    pictures = editor.images(codes, editor.space.labels(3))
    assert pictures.shape == (3, 8, 8, 1) and pictures.dtype == np.uint8
    found = editor.invert(pictures)
    assert found.codes.shape == codes.shape
    np.testing.assert_allclose(editor.move(codes, "one", 2.0), moved(space, codes, directions["one"], 2.0), atol=1e-5)
    assert editor.mix(codes[0], codes[1], [0, 1]).shape == (2, *space.shape)
    with pytest.raises(DataError, match=r"`pictures` must be uint8 \(n, 8, 8, 1\). Received: float32"):
        editor.invert(pictures.astype("f4"))


def test_an_encoder_of_another_form_is_refused(edited, capsys):
    *_, run = edited
    path = next((run / "editing").glob("encoder-*.keras"))
    kept = path.read_bytes()
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]).save(path)
    assert export(["--model", str(run), "--export_dir", str(run.parent / "other")]) == 4
    assert "must be an encoder of this model" in capsys.readouterr().err
    path.write_bytes(kept)
