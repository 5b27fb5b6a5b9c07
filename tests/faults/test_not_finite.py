"""NaN and infinity in the weights of networks that draw, paint, read or describe: what they compute would be black."""

import keras
import numpy as np
import pytest
from conftest import TINY_MLP
from PIL import Image

from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.description import describe_vectors
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.crossmodal.text_encoder import TextEncoder
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ArtifactError, ConfigError, DataError
from tfgantl.models.presets import load_half, save_half
from tfgantl.models.stylizer import Stylizer
from tfgantl.pipelines.export import main as export
from tfgantl.pipelines.generate import main as generate
from tfgantl.pipelines.stylize.apply import main as apply
from tfgantl.pipelines.stylize.describe import StyleDescriptionConfig, describe_style
from tfgantl.pretrained import load_generator, load_source
from tfgantl.style.phrases import StylePhrases
from tfgantl.untrusted.networks import load_network


def spoilt(network, value=np.nan):
    """The network with one weight that is no number."""
    weight = network.trainable_weights[0]
    array = weight.numpy()
    array.flat[0] = value
    weight.assign(array)
    return network


def painter():
    return Stylizer(2, width=2, blocks=1, styles=["a", "b"])


def reader():
    return TextEncoder.of(["dark", "blue"], dimension=4, width=2)


def phrases(styles=("a", "b"), directions=None, size=32):
    image = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.UnitNormalization()])
    encoders = TextImageEncoders(reader(), image, 10.0, CaptionBank(("dark", "blue")))
    return StylePhrases(encoders, styles, np.eye(2, 4, dtype=np.float32) if directions is None else directions, size)


@pytest.mark.parametrize("make", [painter, reader])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_network_is_loaded_whose_weights_are_not_finite(make, value, tmp_path):
    spoilt(make(), value).save(tmp_path / "network.keras")
    with pytest.raises(ArtifactError, match="network.keras: weights must be finite. Received: NaN or infinity in"):
        load_network(tmp_path / "network.keras")


def test_no_preset_is_loaded_whose_weights_are_not_finite(tmp_path):
    save_half({"stylizer": spoilt(painter())}, tmp_path / "preset", {})
    with pytest.raises(ArtifactError, match="preset: weights must be finite. Received: NaN or infinity in"):
        load_half(tmp_path / "preset", ["stylizer"])


def test_nothing_is_painted_by_weights_that_are_not_finite(tmp_path, capsys):
    """It was black, and the exit code 0."""
    spoilt(painter()).save(tmp_path / "painter.keras")
    Image.new("RGB", (20, 20), "orange").save(tmp_path / "content.png")
    command = [str(tmp_path / "painter.keras"), str(tmp_path / "content.png"), "a", "--output", str(tmp_path / "x.png")]
    assert apply(command) == 4
    assert "weights must be finite" in capsys.readouterr().err and not (tmp_path / "x.png").exists()
    large = painter()  # finite weights, of which something else comes
    for weight in large.trainable_weights:
        weight.assign(weight + 3e38)
    large.save(tmp_path / "painter.keras")
    assert apply(command) == 4
    assert "a network of styles must make finite pixels" in capsys.readouterr().err


@pytest.mark.parametrize(("styles", "length"), [(("a", "a"), 1), (("a", "b"), 1e30), (("a", "b"), 0)])
def test_phrases_lead_to_each_style_once_and_in_a_direction(styles, length, tmp_path):
    """Shares of the styles would not sum to 1, or be of whichever style comes first."""
    phrases(styles, length * np.eye(2, 4, dtype=np.float32)).save(tmp_path / "phrases")
    with pytest.raises(ArtifactError, match="each once, with directions of length 1, .* Received: "):
        StylePhrases.load(tmp_path / "phrases", ["a", "b"])


def test_pictures_without_features_are_not_described(tmp_path):
    """Where VGG16 has no pixel left, everything is NaN; it was called dark, and near to nothing."""
    known = phrases()
    with pytest.raises(ArtifactError, match="vectors of pictures must be finite. Received: NaN"):
        known.describe(np.full((1, 6), np.nan, np.float32))
    with pytest.raises(ArtifactError, match="vectors of pictures must be finite. Received: NaN"):
        describe_vectors(known.encoders, np.full((1, 4), np.nan, np.float32))
    Image.new("RGB", (400, 4), "orange").save(tmp_path / "narrow.png")
    with pytest.raises(DataError, match="`picture` must not be that narrow: .* Received: 4 x 400 pixels"):
        describe_style(StyleDescriptionConfig(picture=str(tmp_path / "narrow.png")))


@pytest.mark.parametrize("size", [0, -5, 10**6])
def test_crops_of_phrases_have_a_size_that_fits_into_memory(size, tmp_path):
    """The size is a number in a file; 10,000 pixels would take 360 GB, and 0 made everything NaN."""
    keras.utils.set_random_seed(0)
    painter().save(tmp_path / "stylizer.keras")
    phrases(size=size).save(tmp_path / "phrases")
    Image.new("RGB", (64, 64), "orange").save(tmp_path / "picture.png")
    with pytest.raises((ArtifactError, ConfigError), match="crops of 32 pixels or more|`size` must fit in"):
        describe_style(StyleDescriptionConfig(picture=str(tmp_path / "picture.png"), model=str(tmp_path)))


def test_no_network_is_loaded_with_variances_below_zero(tmp_path):
    """Their roots are NaN: all pictures were black."""
    network = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()])
    network.layers[0].moving_variance.assign([1.0, 0.5, -0.1, 1.0])
    network.save(tmp_path / "network.keras")
    with pytest.raises(ArtifactError, match="variances must be at least 0. Received: -0.1 in .*moving_variance"):
        load_network(tmp_path / "network.keras")


def scaled(generator, factor, layers=slice(None)):
    """The generator with other kernels in some of its layers."""
    kernels = [weight for weight in generator.trainable_weights if weight.name == "kernel"]
    for kernel in kernels[layers]:
        kernel.assign(factor * kernel)
    return generator


def test_no_generator_is_loaded_whose_pictures_are_not_finite(make_gan, tmp_path):
    """Its weights are, and what it drew was NaN wherever nobody measured pixels."""
    for network in (scaled(make_gan().generator, 1e30), make_gan().discriminator):
        network.save(tmp_path / f"{network.name}.keras")
    for load in (load_generator, load_source):
        with pytest.raises(ArtifactError, match=f"{tmp_path}: a generator must make finite pixels. Received: NaN or"):
            load(str(tmp_path))
    assert generate(["--model", str(tmp_path), "--count", "2", "--out_dir", str(tmp_path / "out")]) == 4
    assert export(["--model", str(tmp_path), "--export_dir", str(tmp_path / "exported")]) == 4
    assert not (tmp_path / "out").exists() and not (tmp_path / "exported").exists()


@pytest.mark.parametrize(("factor", "told"), [(1e30, "-1 and 1"), (0.0, "0")])
def test_a_generator_of_black_and_white_is_told(make_gan, tmp_path, capsys, factor, told):
    scaled(make_gan().generator, factor, slice(-1, None)).save(tmp_path / "generator.keras")
    load_generator(str(tmp_path))
    assert (
        f"{tmp_path}: all pixels of two pictures are {told}; weights that are much too large" in capsys.readouterr().err
    )


def test_nothing_is_drawn_of_absurd_codes(tmp_path):
    """They are finite, and what they led to was black and white."""
    keras.utils.set_random_seed(0)
    space = LatentSpace(TINY_MLP.build(8, 1)[0])
    with pytest.raises(DataError, match=r"codes must lead to .* Received: some up to 1e\+30, and not at most 1e\+06"):
        space.images(np.full((1, 4), 1e30, np.float32))
