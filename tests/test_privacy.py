"""What a generator gives away: copies, attacks, and the level; and what models and pictures say of their origin."""

import io
import json
import re
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, tiny_images
from PIL import Image
from sklearn.datasets import load_digits

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.export.model_card import write_model_card
from tfgantl.export.origin import Origin, license_behind, unknown_licenses
from tfgantl.export.publish import excess_copies, publish, refusal
from tfgantl.export.signatures import encode_pngs
from tfgantl.images import encode_png, to_uint8, to_unit
from tfgantl.pipelines.adapt import AdaptConfig
from tfgantl.privacy import membership
from tfgantl.privacy.audit import audit_privacy, judged
from tfgantl.privacy.copies import find_copies
from tfgantl.privacy.membership import alike, attacks_on
from tfgantl.privacy.rates import attack_rates
from tfgantl.privacy.records import read_audit
from tfgantl.privacy.spaces import AlignedSpace, PixelSpace, nearest_in, window
from tfgantl.provenance import SOURCE_TYPE, marked

LATENTS = 16


@pytest.fixture(scope="module")
def digits():
    """Real pictures that are alike in no order: for training, held out, and for a generator that saw neither."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.images))
    images = (data.images * 255 / 16).round().astype(np.uint8)[order, :, :, None]
    labels = data.target[order]
    return {name: (images[part], labels[part]) for name, part in
            (("train", slice(60)), ("held out", slice(60, 260)), ("others", slice(260, 320)))}  # fmt: skip


def generator_of(pictures):
    """A generator that knows pictures by heart: a latent chooses one of them, or mixes a few."""
    flat = to_unit(pictures).reshape(len(pictures), -1)
    keys = np.random.default_rng(1).normal(size=(LATENTS, len(flat))).astype(np.float32)
    keys /= np.linalg.norm(keys, axis=0)
    latents = keras.Input((LATENTS,))
    chosen = keras.layers.Dense(len(flat), "softmax", use_bias=False, name="choice")(latents)
    made = keras.layers.Dense(flat.shape[1], use_bias=False, name="pictures")(chosen)
    model = keras.Model(latents, keras.layers.Reshape(pictures.shape[1:])(made))
    model.set_weights([20 * keys, flat])
    return model


def sampled(generator, count=1500):
    return to_uint8(generator.predict(np.random.default_rng(5).normal(size=(count, LATENTS)), verbose=0))


# --- Spaces and copies ---


@pytest.mark.parametrize("side", [8, 16, 28, 61])
def test_a_window_over_a_picture_gives_the_means_of_its_cells(side):
    whole = window(side, 0.0, 1.0)
    assert whole.shape == (min(16, side), side)
    np.testing.assert_allclose(whole.sum(1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(whole.sum(0), len(whole) / side, rtol=1e-4)  # each pixel counts the same
    shifted = window(side, 0.25, 1.0) @ np.arange(side, dtype=np.float32)
    assert shifted[-1] == pytest.approx(side - 1) and (np.diff(shifted) >= -1e-4).all()  # the edge goes on


def test_the_nearest_of_the_others_is_not_the_picture_itself():
    images = tiny_images(30)
    points = to_unit(images).reshape(30, -1)
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    found, index = nearest_in(PixelSpace(), images, images, others=True)
    np.testing.assert_array_equal(index, distances.argmin(1))
    np.testing.assert_allclose(found, distances.min(1), rtol=1e-3)
    assert nearest_in(PixelSpace(), images, images)[0].max() < 1e-2


@pytest.mark.parametrize(
    "changed",
    [lambda x: x[:, :, ::-1], lambda x: (0.5 * x + 60).astype(np.uint8), lambda x: np.roll(x, 3, axis=1),
     lambda x: np.repeat(np.repeat(x[:, 2:-2, 2:-2], 8, 1), 8, 2)[:, ::7, ::7]],
    ids=["mirrored", "flat", "shifted", "cropped"],
)  # fmt: skip
def test_aligned_copies_are_found_in_whatever_form(changed):
    x = np.repeat(np.repeat(tiny_images(8, size=8), 4, 1), 4, 2)
    images = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)))[:, 4:-4, 4:-4]
    distance, index = nearest_in(AlignedSpace(), changed(images), images)
    np.testing.assert_array_equal(index, np.arange(8))
    assert distance.max() < 0.9 < nearest_in(AlignedSpace(), images, images, others=True)[0].min()


def test_copies_are_found_and_new_pictures_are_not(digits):
    spaces = [PixelSpace(), AlignedSpace()]
    train, held_out, others = (digits[name][0] for name in ("train", "held out", "others"))
    noisy = np.clip(train + np.random.default_rng(0).normal(0, 8, train.shape), 0, 255).astype(np.uint8)
    found = find_copies(np.concatenate([noisy, others]), train, held_out, spaces)
    assert found.share == pytest.approx(0.5, abs=0.05) and found.copied >= 55
    assert set(found.worst) <= set(range(60)) and len(found.worst) == 20
    np.testing.assert_array_equal(found.worst, found.twins)  # the i-th is a copy of the i-th
    new = find_copies(others, train, held_out, spaces)
    assert not new.found and new.share <= new.chance < 0.05


def test_a_mean_picture_is_near_to_all_and_no_copy(digits):
    train, held_out = (digits[name][0] for name in ("train", "held out"))
    means = np.stack([held_out[i::20].mean(0) for i in range(20)]).astype(np.uint8)
    assert find_copies(means, train, held_out, [PixelSpace(), AlignedSpace()]).share == 0.0


class RowSpace(PixelSpace):
    """One row of pixels: spaces of different rows know nothing of each other."""

    def __init__(self, row):
        self.name, self.row = f"row {row}", row

    def vectors(self, images):
        return super().vectors(images[:, self.row])


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("count", [40, 400])
def test_chance_is_what_new_pictures_stay_below(rows, count):
    """Points without structure, many times: in at most 5 % of the cases there are more copies than by chance.

    In several spaces there are more chances, and few generated pictures spread more than many.
    """
    rng, above, spaces = np.random.default_rng(0), 0, [RowSpace(row) for row in range(rows)]
    for _ in range(60):
        train, held_out, generated = (rng.integers(0, 256, (n, rows, 4, 1), dtype=np.uint8) for n in (40, 40, count))
        above += find_copies(generated, train, held_out, spaces).found
    assert above <= 8  # 3 are expected; more than 8 have odds of 1 in 200


# --- Membership ---


def test_rates_by_hand():
    members, others = np.arange(100) + 0.5, np.arange(100.0)
    found = attack_rates(members, others)
    assert found.auc == pytest.approx(np.mean(members[:, None] > others)) and found.tpr == 0.02  # of 98.5 and 99.5
    assert found.auc_interval[0] < found.auc < found.auc_interval[1]
    assert attack_rates(np.ones(9), np.zeros(9)).auc_interval == pytest.approx((1.0, 1.0))
    same = attack_rates(np.ones(9), np.ones(9))
    assert (same.auc, same.tpr) == (0.5, 0.0)


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    truth = 0.7602  # of standard normal scores that are 1 apart
    inside = 0
    for i in range(40):
        low, high = attack_rates(rng.normal(1, 1, 60), rng.normal(0, 1, 60), seed=i).auc_interval
        inside += low <= truth <= high
    assert inside >= 34


def test_members_and_others_are_alike():
    train = tiny_images(50), np.repeat([0, 1, 2], [30, 15, 5])
    held_out = tiny_images(90, seed=1), np.repeat([0, 1, 3], [10, 40, 40])
    for most, expected in ((100, {0: 10, 1: 15}), (20, {0: 10, 1: 10})):
        members, others = alike(train, held_out, most, seed=0)
        for images, labels in (members, others):
            assert dict(zip(*np.unique(labels, return_counts=True), strict=True)) == expected
            assert len(images) == len(labels)
    rows = {image.tobytes() for image in train[0]}
    assert all(image.tobytes() in rows for image in members[0])
    assert len(alike((train[0], None), held_out, 100, 0)[1][0]) == 50
    assert len(alike((train[0], np.full(50, 7)), held_out, 100, 0)[0][0]) == 0


def test_a_generator_that_copies_gives_its_members_away(digits):
    members, others = alike(digits["train"], digits["held out"], 40, seed=0)
    generator = generator_of(digits["train"][0])
    found = attacks_on(members, others, sampled(generator), [PixelSpace()], generator)
    assert list(found) == ["nearest generated, pixels", "recovered latents"]
    assert found["nearest generated, pixels"].auc > 0.95 and found["recovered latents"].auc > 0.8


def test_a_generator_that_never_saw_them_gives_nothing_away(digits):
    members, others = alike(digits["train"], digits["held out"], 50, seed=0)
    generator = generator_of(digits["others"][0])
    found = attacks_on(
        members, others, sampled(generator), [PixelSpace(), AlignedSpace()], generator,
        discriminator=lambda images, labels: images.mean((1, 2, 3)),
    )  # fmt: skip
    for name, rates in found.items():
        assert rates.auc_interval[0] < 0.5 < rates.auc_interval[1], name
        assert rates.published == (name != membership.DISCRIMINATOR)


def test_a_generator_that_cannot_be_searched_is_attacked_otherwise(digits, monkeypatch):
    monkeypatch.setattr(membership, "LatentSpace", lambda *_: (_ for _ in ()).throw(ConfigError("no structure")))
    members, others = alike(digits["train"], digits["held out"], 20, seed=0)
    assert len(attacks_on(members, others, digits["others"][0], [PixelSpace()], generator=object())) == 1


# --- The level ---


def test_the_level_follows_from_the_numbers(digits, tiny_extractor):
    train, held_out, others = (digits[name] for name in ("train", "held out", "others"))
    given_away = audit_privacy(np.repeat(train[0], 4, 0), train, held_out, tiny_extractor)
    assert given_away.level == "high" and given_away.copies.share == 1.0
    far = np.repeat(train[0][-10:], 10, 0)  # of the last class, behind more pictures than are generated
    side, channels = train[0].shape[2:]
    many = tiny_images(2100, side, channels, seed=9)
    behind = audit_privacy(far, (np.concatenate([many, train[0]]), None), (held_out[0], None), tiny_extractor)
    assert behind.copies.share > 0.9 and behind.copies.train == len(many) + len(train[0])
    fine = audit_privacy(others[0], train, held_out, tiny_extractor)
    assert fine.level == "low" and "copies: 0.00%" in str(fine)
    few = audit_privacy(others[0], (train[0][:19], train[1][:19]), held_out, tiny_extractor)
    assert few.level == "unknown" and "at least 20" in few.reason and not few.attacks

    def found(share, chance):
        return replace(fine.copies, share=share, by_space={"pixels": share - 0.01, "aligned": 0.01}, chance=chance)

    nothing, seen = found(0.0, 0.02), attack_rates(np.arange(99.0) + 25, np.arange(99.0))
    assert judged(nothing, {"x": seen}).level in ("elevated", "high")
    assert judged(nothing, {"x": replace(seen, auc_interval=(0.51, 0.7), tpr_interval=(0, 1))}).level == "elevated"
    assert judged(nothing, {"x": replace(seen, auc_interval=(0.45, 0.7), tpr_interval=(0.2, 1))}).level == "high"
    quiet = replace(seen, auc_interval=(0.45, 0.6), tpr_interval=(0, 0.1))
    assert judged(nothing, {"x": quiet, "d": replace(seen, auc_interval=(0.9, 1.0), published=False)}).level == "low"
    assert judged(found(0.04, 0.02), {"x": quiet}).level == "elevated"
    assert judged(found(0.04, 0.035), {"x": quiet}).level == "low"
    assert judged(found(0.06, 0.02), {"x": quiet}).level == "high"


@pytest.fixture(scope="module")
def record(digits):
    train, held_out = digits["train"], digits["held out"]
    copies = find_copies(train[0], train[0], held_out[0], [PixelSpace()])
    rates = attack_rates(np.arange(60.0), np.arange(60.0))
    return json.loads(json.dumps(judged(copies, {"nearest": rates}).record()))


def test_a_record_survives_a_log_and_a_forged_one_does_not(record):
    assert read_audit(record) == {**record, "differential": None}
    spent = {"epsilon": 3.0, "delta": 1e-5, "noise": 1.0, "clip": 1.0}
    assert read_audit({**record, "differential": spent})["differential"] == spent
    assert read_audit({**record, "differential": {**spent, "epsilon": "0"}})["differential"] is None
    for forged in (
        None, {**record, "level": "none"}, {**record, "reason": 3}, {**record, "copies": {"share": 0}},
        {**record, "copies": {**record["copies"], "share": "0"}}, {**record, "attacks": [1]},
    ):  # fmt: skip
        assert read_audit(forged) is None
    assert read_audit({**record, "attacks": {"x": {"auc": "1"}}})["attacks"] == {}


def test_copies_are_published_only_if_forced(record, tmp_path):
    facts = {"privacy": record}
    assert excess_copies(facts, 0.1) == 1.0 and excess_copies(facts, None) is None and excess_copies({}, 0.1) is None
    copies = {**record["copies"], "share": 0.2, "by_space": {"pixels": 0.15, "aligned": 0.05}}
    assert excess_copies({"privacy": {**record, "copies": {**copies, "chance": 0.16}}}, 0.1) is None
    assert excess_copies({"privacy": {**record, "copies": {**copies, "chance": 0.14}}}, 0.1) == 0.2
    for made_up in ({"copies": {"share": 0.3}}, {"level": "high"}, 0.3):
        with pytest.raises(ConfigError, match="`privacy` among the `facts` must be what .* Received: "):
            excess_copies({"privacy": made_up}, 0.1)
    assert "100.0% of its pictures are copies" in refusal(facts, 0.1)
    assert refusal({"verdict": "negative"}, None) == "transfer was negative"
    generator = TINY_DCGAN.build(8, 1)[0]
    with pytest.raises(ArtifactError, match="`max_copies`.*must be at most 0.1 .*unless forced. Received: 1") as error:
        publish(generator, tmp_path / "tiny", facts=facts, max_copies=0.1)
    assert "\n" not in str(error.value) and not (tmp_path / "tiny").exists()
    with pytest.raises(ConfigError, match=r"`max_copies` must be in \[0, 1\]. Received: 2"):
        AdaptConfig(max_copies=2)
    origin = Origin("theirs", "abc", None, "def", "CC BY 4.0").record()
    facts["privacy"] = {**record, "differential": {"epsilon": 3.25, "delta": 1e-5, "noise": 1.0, "clip": 1.0}}
    version = publish(generator, tmp_path / "tiny", facts={**facts, "origin": origin}, force=True, max_copies=0.1)
    card = (version / "model_card.md").read_text()
    assert "Privacy risk: **high**" in card and "| generated pictures that are copies | 100.00 %" in card
    assert "differential privacy: ε = 3.25 at δ = 1e-05" in card
    assert "say it by --source_license" in card and "CC BY 4.0" in card and "`abc`" in card


# --- Origin ---


def test_licences_that_are_not_known_are_asked_for():
    assert license_behind("rendered-digits") == "Apache-2.0" and license_behind("their/model") is None
    asked = unknown_licenses(Origin(source_license="MIT").record())
    assert asked == ["licence of the training images: unknown; say it by --target_license"]
    told = Origin.read({"source": "a", "data": 3, "source_license": "old"}, source_license="MIT")
    assert told == Origin(source="a", source_license="MIT") and Origin.read([1]) == Origin()


def test_generated_files_say_so_and_keep_their_pixels():
    images = tiny_images(3, size=5, channels=3)
    files = tf.function(encode_pngs)(tf.constant(images)).numpy()
    for file, image in zip(files, images, strict=True):
        assert file == marked(tf.io.encode_png(image).numpy())
        np.testing.assert_array_equal(tf.io.decode_png(file), image)
        with Image.open(io.BytesIO(file)) as picture:
            picture.load()  # which checks sums
            assert picture.text["Software"].startswith("generated by tfgantl")
            assert SOURCE_TYPE in picture.text["XML:com.adobe.xmp"] and SOURCE_TYPE in str(picture.info["xmp"])
    assert encode_png(images[0], generated=True) == marked(encode_png(images[0]))


def test_nothing_of_an_audit_or_an_origin_is_markup(tmp_path, record):
    evil = "**\n\n<img src=x> [a](javascript:b) | `x`"
    facts = {
        "name": "tiny", "signatures": {}, "origin": Origin(evil, evil, evil, evil, evil).record(),
        "privacy": {**record, "reason": evil, "rule": evil, "attacks": {evil: record["attacks"]["nearest"]}},
    }  # fmt: skip
    write_model_card(tmp_path, facts)
    page = re.sub("`[^`]*`", "", (tmp_path / "model_card.md").read_text())  # code spans show what they hold
    assert not re.search(r"<img|\]\(|\*\*\\\\", page) and page.count("&#60;img") >= 5
