"""What pytorch-fid, torch-fidelity and clean-fid compute of given weights and features, run in a process of its own.

`python inception_reference.py WEIGHTS.npz FEATURES.npz DIRECTORY` writes features of pictures into the directory,
beside the weights as PyTorch saves them, and prints distances of the given features as JSON.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytorch_fid.fid_score
import pytorch_fid.inception
import torch
from cleanfid.resize import build_resizer
from inception_weights import pictures
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import calculate_precision_recall_full


def main(weights: Path, features: Path, directory: Path) -> None:
    state = {name: torch.from_numpy(array) for name, array in np.load(weights).items()}
    state |= {name.replace("running_var", "num_batches_tracked"): torch.tensor(0) for name in state if "var" in name}
    saved = directory / "weights.pth"
    torch.save(state, saved)
    network = FeatureExtractorInceptionV3("", ["2048", "logits_unbiased"], feature_extractor_weights_path=saved)
    pytorch_fid.inception.load_state_dict_from_url = lambda *a, **k: torch.load(saved)
    other = pytorch_fid.inception.InceptionV3([3]).eval()
    clean = build_resizer("clean")
    found = {"tensorflow": [], "pytorch": [], "clean": [], "logits": []}
    with torch.no_grad():
        for images in pictures():
            of_images, logits = network(_channels_first(images))
            found["tensorflow"].append(of_images)
            found["logits"].append(logits)
            found["pytorch"].append(other(_channels_first(images).float() / 255)[0][:, :, 0, 0])
            found["clean"].append(_behind_resizing(network, _channels_first(np.stack([clean(x) for x in images]))))
    for name, parts in found.items():
        np.save(directory / f"{name}.npy", torch.cat(parts).numpy())
    print(json.dumps(_distances(*(np.load(features)[name] for name in ("real", "fake")))))


def _behind_resizing(network: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    x = (pixels - 128) / 128
    for name, module in network.named_children():
        if name != "fc":
            x = module(x)
    return x[:, :, 0, 0]


def _channels_first(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def _distances(real: np.ndarray, fake: np.ndarray) -> dict:
    moments = [(x.mean(0), np.cov(x, rowvar=False)) for x in (real, fake)]
    one, two = torch.from_numpy(real), torch.from_numpy(fake)
    kid = kid_features_to_metric(one, two, kid_subsets=1, kid_subset_size=len(real), verbose=False)
    statistics = [fid_features_to_statistics(x) for x in (one, two)]
    score = isc_features_to_metric(two, 7, shuffle=False)
    return {
        "fid": float(pytorch_fid.fid_score.calculate_frechet_distance(*moments[0], *moments[1])),
        "fid of torch-fidelity": fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"],
        "kid": kid["kernel_inception_distance_mean"],
        "inception score": (score["inception_score_mean"], score["inception_score_std"]),
        "precision and recall": calculate_precision_recall_full(two, one, 3),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*map(Path, sys.argv[1:]))
