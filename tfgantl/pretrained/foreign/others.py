"""Networks that are known by their names, and are not what networks here are: refused by what they are.

Reference:
    https://github.com/lucidrains/stylegan2-pytorch, https://github.com/lucidrains/lightweight-gan;
    Liu et al., 2021, https://arxiv.org/abs/2101.04775 (FastGAN);
    Karras et al., 2018, https://arxiv.org/abs/1710.10196 (ProGAN), 2019, https://arxiv.org/abs/1812.04948 (StyleGAN),
    2021, https://arxiv.org/abs/2106.12423 (StyleGAN3)
"""

import re
from typing import NoReturn

from tfgantl.errors import ArtifactError
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint

SAME_NAME = "which is another network under the same name"
# Names of arrays that only this network has → what it is. The first that is found counts.
NAMES = (
    (r"(S|SE)\.net\.\d+\.|G\.initial_conv\.weight|GE\.blocks\.", f"lucidrains' stylegan2-pytorch, {SAME_NAME}"),
    (r"(G|GE)\.(initial_conv|res_layers|layers)\.", f"lightweight-gan, {SAME_NAME}"),
    (r"synthesis\.(input\.(freqs|phases|transform)|L\d+_\d+_\d+\.)", "StyleGAN3, which is no StyleGAN2"),
    (r"(feat_\d+|se_\d+|init\.init|down_4|to_big)\.|down_from_big\.", "FastGAN, which is not read here"),
    (r"style\.\d+\.linear|progression\.\d+\.|generator\.progression\.", "StyleGAN of 2018, which is no StyleGAN2"),
    (r"(module\.)?(shared\.weight|blocks\.\d+\.0\.conv1\.)", "BigGAN, which is not read here"),
    (r"(down_blocks|mid_block|up_blocks|encoder|decoder)\.", "a network of another kind than a GAN"),
)
KINDS = {
    "G_style": "StyleGAN of 2018, which is no StyleGAN2",
    "G_paper": "ProGAN, which is not read here",
    "D_basic": "StyleGAN of 2018, which is no StyleGAN2",
    "D_paper": "ProGAN, which is not read here",
}  # fmt: skip


def refuse(checkpoint: ForeignCheckpoint, where: str) -> None:
    """Raises `ArtifactError` if a checkpoint is of a network that is known, and that is not read.

    Args:
        checkpoint: Of `read_checkpoint`.
        where: Name of the file for messages.
    """
    for network in checkpoint.networks.values():
        if network.kind in KINDS:
            _refuse(KINDS[network.kind], where)
    names = [name for network in checkpoint.networks.values() for name in network.arrays]
    for pattern, what in NAMES:
        known = re.compile(pattern)
        if any(known.match(name) for name in names):
            _refuse(what, where)


def _refuse(what: str, where: str) -> NoReturn:
    raise ArtifactError(f"{where}: must hold a network of this package, or one that it knows. Received: {what}")
