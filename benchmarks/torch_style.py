"""The optimisation of style transfer in PyTorch: a program of its own, that needs torch and NumPy only.

`python torch_style.py TASK.npz OUT.npz KIND`, where KIND is float32, channels_last or bfloat16 (with channels last).
The task is what `style_jobs` writes, and the last line is JSON.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

MEANS = (103.939, 116.779, 123.68)


def memory(name):
    """MiB of this process: `VmHWM` is the peak, `VmRSS` the present."""
    return int(re.findall(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024


def main(task: str, output: str, kind: str) -> None:
    """Optimises, and writes the image."""
    import torch
    from torch.nn import functional

    framework = memory("VmRSS")
    arrays = dict(np.load(task))
    layers, style_layers = [str(name) for name in arrays["layers"]], [str(name) for name in arrays["style_layers"]]
    memory_format = torch.contiguous_format if kind == "float32" else torch.channels_last
    kernels = {
        name: (
            torch.from_numpy(arrays[f"{name}/kernel"].transpose(3, 2, 0, 1).copy()).to(memory_format=memory_format),
            torch.from_numpy(arrays[f"{name}/bias"]),
        )
        for name in layers
        if not name.endswith("pool")
    }
    means = torch.tensor(MEANS).reshape(1, 3, 1, 1)

    def features(image):
        x, found = ((image + 1) * 127.5).flip(1) - means, {}
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=kind == "bfloat16"):
            for name in layers:
                if name.endswith("pool"):
                    x = functional.max_pool2d(x, 2)
                else:
                    x = found[name] = functional.relu(functional.conv2d(x, *kernels[name], padding=1))
        return found

    def gram(x):
        flat = x.float().reshape(x.shape[1], -1)
        return flat @ flat.T / flat.shape[1]

    def picture(name):
        image = torch.from_numpy(arrays[name].transpose(0, 3, 1, 2).copy())
        return image.contiguous(memory_format=memory_format)

    content_layer = str(arrays["content_layer"])
    with torch.no_grad():
        target = features(picture("content"))[content_layer].float()
        grams = {name: gram(x) for name, x in features(picture("style")).items() if name in style_layers}
    image = picture("content").requires_grad_()
    optimizer = torch.optim.Adam([image], lr=float(arrays["learning_rate"]), eps=1e-8)
    seconds = []
    for _ in range(int(arrays["steps"])):
        start = time.perf_counter()
        optimizer.zero_grad()
        found = features(image)
        losses = [
            functional.mse_loss(gram(found[name]), grams[name]) / float(scale)
            for name, scale in zip(style_layers, arrays["style_scales"], strict=True)
        ]
        content = functional.mse_loss(found[content_layer].float(), target) / float(arrays["content_scale"])
        total = content + float(arrays["style_weight"]) * sum(losses) / len(losses)
        total.backward()
        optimizer.step()
        with torch.no_grad():
            image.clamp_(-1, 1)
        seconds.append(time.perf_counter() - start)
    np.savez(output, image=image.detach().numpy().transpose(0, 2, 3, 1))
    found = {"seconds": float(np.median(seconds[1:])), "peak_mib": memory("VmHWM"), "framework_mib": framework}
    print(json.dumps({**found, "version": torch.__version__}))


if __name__ == "__main__":
    main(*sys.argv[1:])
