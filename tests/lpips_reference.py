"""What the `lpips` package computes, run in a process of its own: `python lpips_reference.py WEIGHTS PAIRS.npz`."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from lpips import LPIPS


def main(weights: Path, pairs: Path) -> None:
    network = LPIPS(net="vgg", version="0.1", pretrained=False, pnet_rand=True, verbose=False)
    vgg = {name: torch.from_numpy(array) for name, array in np.load(weights / "vgg.npz").items()}
    state = network.state_dict()
    for name in state:
        if name.startswith("net."):
            state[name] = vgg["features." + name.split(".", 2)[2]]
    state |= {name: torch.from_numpy(array) for name, array in np.load(weights / "linear.npz").items()}
    network.load_state_dict(state, strict=False)
    one, other = (torch.from_numpy(x.transpose(0, 3, 1, 2) / np.float32(127.5) - 1) for x in np.load(pairs).values())
    with torch.no_grad():
        print(json.dumps(network(one, other).ravel().tolist()))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*map(Path, sys.argv[1:]))
