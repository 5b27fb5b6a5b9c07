"""The published formulas of StyleGAN2 in plain NumPy and float64, on arrays with the names of NVIDIA's PyTorch program.

A kernel for each image, zeros inserted one by one, filters as sums over taps: as in the papers, and not as we compute.
"""

from math import log2, sqrt

import numpy as np

F = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def lrelu(x):
    return np.where(x > 0, x, 0.2 * x) * sqrt(2)


def unit(x):
    return x / np.sqrt(np.mean(x**2, 1, keepdims=True) + 1e-8)


def dense(a, name, x, rate=1.0):
    weight = a[f"{name}.weight"]
    return x @ (weight * (rate / sqrt(weight.shape[1]))).T + a[f"{name}.bias"] * rate


def correlate(x, kernel, padding, stride=1):
    """x (channels, h, w), kernel (out, in, kh, kw)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    kh, kw = kernel.shape[2:]
    h, w = (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1
    out = np.zeros((kernel.shape[0], h, w))
    for i in range(kh):
        for j in range(kw):
            seen = x[:, i : i + (h - 1) * stride + 1 : stride, j : j + (w - 1) * stride + 1 : stride]
            out += np.tensordot(kernel[:, :, i, j], seen, 1)
    return out


def fir(x, before, after, gain=1.0, up=1, down=1):
    """Zeros inserted, zeros around, the filter, every `down`-th place kept."""
    c, h, w = x.shape
    spread = np.zeros((c, h * up, w * up))
    spread[:, ::up, ::up] = x
    x = np.pad(spread, ((0, 0), (before, after), (before, after)))
    h, w = x.shape[1] - 3, x.shape[2] - 3
    out = sum(gain * F[i, j] * x[:, i : i + h, j : j + w] for i in range(4) for j in range(4))
    return out[:, ::down, ::down]


def mapping(a, z, labels=None):
    x = unit(z)
    if labels is not None:
        x = np.concatenate([x, unit(dense(a, "mapping.embed", np.eye(a["mapping.embed.weight"].shape[1])[labels]))], 1)
    for i in range(sum(name.startswith("mapping.fc") for name in a) // 2):
        x = lrelu(dense(a, f"mapping.fc{i}", x, 0.01))
    return x


def modulated(a, name, x, w, up=False, demodulate=True):
    style = dense(a, f"{name}.affine", w[None])[0]
    kernel = a[f"{name}.weight"]
    kernel = kernel / sqrt(np.prod(kernel.shape[1:])) * style[None, :, None, None]
    if demodulate:
        kernel = kernel / np.sqrt((kernel**2).sum((1, 2, 3), keepdims=True) + 1e-8)
    if not up:
        return correlate(x, kernel, kernel.shape[2] // 2)
    c, h, _ = x.shape
    out = np.zeros((len(kernel), 2 * h + 1, 2 * h + 1))  # a transposed convolution scatters
    for i in range(h):
        for j in range(h):
            out[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += np.einsum("oikl,i->okl", kernel, x[:, i, j])
    return fir(out, 1, 1, gain=4.0)


def synthesis(a, ws, clamp=None):
    """ws (batch, layers, w) → images (batch, height, width, channels), unclipped."""
    clip = (lambda x: x) if clamp is None else (lambda x: np.clip(x, -clamp, clamp))
    images = []
    for w in ws:
        x, rgb, index, side = a["synthesis.b4.const"], None, 0, 4
        while f"synthesis.b{side}.conv1.weight" in a:
            for conv in (0, 1) if side > 4 else (1,):
                name = f"synthesis.b{side}.conv{conv}"
                x = modulated(a, name, x, w[index], up=conv == 0)
                x = x + a[f"{name}.noise_const"] * a[f"{name}.noise_strength"]
                x = clip(lrelu(x + a[f"{name}.bias"][:, None, None]))
                index += 1
            name = f"synthesis.b{side}.torgb"
            colours = clip(modulated(a, name, x, w[index], demodulate=False) + a[f"{name}.bias"][:, None, None])
            rgb = colours if rgb is None else fir(rgb, 2, 1, gain=4.0, up=2) + colours
            side *= 2
        images.append(rgb.transpose(1, 2, 0))
    return np.stack(images)


def discriminate(d, images, labels=None, group=4):
    """images (batch, height, width, channels) → logits (batch,)."""

    def conv(name, x, padding=1, stride=1):
        kernel = d[f"{name}.weight"]
        x = correlate(x, kernel / sqrt(np.prod(kernel.shape[1:])), padding, stride)
        return lrelu(x + d[f"{name}.bias"][:, None, None])

    maps = []
    for x in images.transpose(0, 3, 1, 2):
        side = x.shape[1]
        x = conv(f"b{side}.fromrgb", x, 0)
        while side > 4:
            kernel = d[f"b{side}.skip.weight"]
            skip = correlate(fir(x, 1, 1, down=2), kernel / sqrt(kernel.shape[1]), 0)
            x = conv(f"b{side}.conv1", fir(conv(f"b{side}.conv0", x), 2, 2), 0, 2)
            x, side = (x + skip) / sqrt(2), side // 2
        maps.append(x)
    n = len(maps)
    for j in range(n // group):
        members = np.stack([maps[i] for i in range(j, n, n // group)])
        deviation = np.sqrt(members.var(0) + 1e-8).mean()
        for i in range(j, n, n // group):
            maps[i] = np.concatenate([maps[i], np.full((1, 4, 4), deviation)])
    features = np.stack([conv("b4.conv", x).ravel() for x in maps])
    out = dense(d, "b4.out", lrelu(dense(d, "b4.fc", features)))
    if labels is None:
        return out[:, 0]
    x = unit(dense(d, "mapping.embed", np.eye(d["mapping.embed.weight"].shape[1])[labels]))
    for i in range(sum(name.startswith("mapping.fc") for name in d) // 2):
        x = lrelu(dense(d, f"mapping.fc{i}", x, 0.01))
    return (out * x).sum(1) / sqrt(x.shape[1])


def random_pair(size=16, channels=3, z=5, w=6, depth=3, base=64, most=7, classes=None, label_depth=2, seed=0):
    """Arrays of both networks, none of them 0."""
    rng = np.random.default_rng(seed)
    g, d = {}, {}
    widths = {4 * 2**k: min(base // (4 * 2**k), most) for k in range(int(log2(size)) - 1)}

    def put(a, name, *shape, scale=1.0, shift=0.0):
        a[name] = (shift + scale * rng.standard_normal(shape)).astype(np.float32)

    def labels(a, units, depth, first):
        if classes:
            put(a, "mapping.embed.weight", units, classes)
            put(a, "mapping.embed.bias", units)
        for i in range(depth):
            put(a, f"mapping.fc{i}.weight", units, first if i == 0 else units, scale=100)
            put(a, f"mapping.fc{i}.bias", units, scale=20)

    labels(g, w, depth, z + (w if classes else 0))
    put(g, "mapping.w_avg", w)
    put(g, "synthesis.b4.const", widths[4], 4, 4)
    for side, out in widths.items():
        inner = widths.get(side // 2, out)
        for conv, (i, o, k) in {"conv0": (inner, out, 3), "conv1": (out, out, 3), "torgb": (out, channels, 1)}.items():
            if side > 4 or conv != "conv0":
                name = f"synthesis.b{side}.{conv}"
                put(g, f"{name}.weight", o, i, k, k)
                put(g, f"{name}.bias", o)
                put(g, f"{name}.affine.weight", i, w)
                put(g, f"{name}.affine.bias", i, shift=1)
                if conv != "torgb":
                    put(g, f"{name}.noise_strength")
                    put(g, f"{name}.noise_const", side, side)
    put(d, f"b{size}.fromrgb.weight", widths[size], channels, 1, 1)
    put(d, f"b{size}.fromrgb.bias", widths[size])
    for side in list(widths)[:0:-1]:
        here, out = widths[side], widths[side // 2]
        for conv, (i, o, k) in {"conv0": (here, here, 3), "conv1": (here, out, 3), "skip": (here, out, 1)}.items():
            put(d, f"b{side}.{conv}.weight", o, i, k, k)
            if conv != "skip":
                put(d, f"b{side}.{conv}.bias", o)
    c = widths[4]
    put(d, "b4.conv.weight", c, c + 1, 3, 3)
    put(d, "b4.conv.bias", c)
    put(d, "b4.fc.weight", c, 16 * c)
    put(d, "b4.fc.bias", c)
    put(d, "b4.out.weight", c if classes else 1, c)
    put(d, "b4.out.bias", c if classes else 1)
    if classes:
        labels(d, c, label_depth, c)
    return g, d


def to_rosinality(g, d):
    """The same weights as rosinality's program names them; the average of w stands apart."""
    size = 4 * 2 ** (sum(name.endswith("torgb.weight") for name in g) - 1)
    a, b = {}, {}
    for i in range(sum(name.startswith("mapping.fc") for name in g) // 2):
        for part in ("weight", "bias"):
            a[f"style.{i + 1}.{part}"] = g[f"mapping.fc{i}.{part}"]
    a["input.input"] = g["synthesis.b4.const"][None]
    number = 0
    for k in range(2, int(log2(size)) + 1):
        for conv in ("conv0", "conv1") if k > 2 else ("conv1",):
            theirs = "conv1" if k == 2 else f"convs.{2 * (k - 3) + (conv == 'conv1')}"
            mine = f"synthesis.b{2**k}.{conv}"
            a[f"{theirs}.activate.bias"] = g[f"{mine}.bias"]
            a[f"{theirs}.noise.weight"] = g[f"{mine}.noise_strength"].reshape(1)
            a[f"noises.noise_{number}"] = g[f"{mine}.noise_const"][None, None]
            a[f"{theirs}.conv.blur.kernel"] = np.float32(4 * F)
            number += 1
            _modulated_of_rosinality(a, theirs, g, mine)
        theirs, mine = "to_rgb1" if k == 2 else f"to_rgbs.{k - 3}", f"synthesis.b{2**k}.torgb"
        _modulated_of_rosinality(a, theirs, g, mine)
        a[f"{theirs}.bias"] = g[f"{mine}.bias"].reshape(1, -1, 1, 1)
    b["convs.0.0.weight"], b["convs.0.1.bias"] = d[f"b{size}.fromrgb.weight"], d[f"b{size}.fromrgb.bias"]
    for n in range(1, int(log2(size)) - 1):
        mine = f"b{size >> (n - 1)}"
        b[f"convs.{n}.conv1.0.weight"], b[f"convs.{n}.conv1.1.bias"] = (
            d[f"{mine}.conv0.weight"],
            d[f"{mine}.conv0.bias"],
        )
        b[f"convs.{n}.conv2.1.weight"], b[f"convs.{n}.conv2.2.bias"] = (
            d[f"{mine}.conv1.weight"],
            d[f"{mine}.conv1.bias"],
        )
        b[f"convs.{n}.conv2.0.kernel"] = b[f"convs.{n}.skip.0.kernel"] = np.float32(F)
        b[f"convs.{n}.skip.1.weight"] = d[f"{mine}.skip.weight"]
    for theirs, mine in (("final_conv.0.weight", "conv.weight"), ("final_conv.1.bias", "conv.bias"),
                         ("final_linear.0.weight", "fc.weight"), ("final_linear.0.bias", "fc.bias"),
                         ("final_linear.1.weight", "out.weight"), ("final_linear.1.bias", "out.bias")):  # fmt: skip
        b[theirs] = d[f"b4.{mine}"]
    return a, b, g["mapping.w_avg"]


def _modulated_of_rosinality(a, theirs, g, mine):
    a[f"{theirs}.conv.weight"] = g[f"{mine}.weight"][None]
    a[f"{theirs}.conv.modulation.weight"] = g[f"{mine}.affine.weight"]
    a[f"{theirs}.conv.modulation.bias"] = g[f"{mine}.affine.bias"]


def to_tensorflow(g, d):
    """The same weights as NVIDIA's pickles for TensorFlow name them."""
    a, b, number = {"lod": np.float32(0), "dlatent_avg": g["mapping.w_avg"]}, {"lod": np.float32(0)}, 0
    for name, x in g.items():
        parts = name.split(".")
        if parts[0] == "mapping" and parts[1] != "w_avg":
            layer = "LabelEmbed" if parts[1] == "embed" else f"Dense{parts[1][2:]}"
            a[f"mapping/{layer}/{parts[2]}"] = x.T
    a["synthesis/4x4/Const/const"] = g["synthesis.b4.const"][None]
    side = 4
    while f"synthesis.b{side}.conv1.weight" in g:
        for mine, theirs in {"conv0": "Conv0_up", "conv1": "Conv1" if side > 4 else "Conv", "torgb": "ToRGB"}.items():
            at, to = f"synthesis.b{side}.{mine}", f"synthesis/{side}x{side}/{theirs}"
            if f"{at}.weight" not in g:
                continue
            kernel = g[f"{at}.weight"].transpose(2, 3, 1, 0)
            a[f"{to}/weight"] = kernel[::-1, ::-1] if mine == "conv0" else kernel
            a[f"{to}/mod_weight"], a[f"{to}/mod_bias"] = g[f"{at}.affine.weight"].T, g[f"{at}.affine.bias"] - 1
            a[f"{to}/bias"] = g[f"{at}.bias"]
            if mine != "torgb":
                a[f"{to}/noise_strength"] = g[f"{at}.noise_strength"]
                a[f"synthesis/noise{number}"] = g[f"{at}.noise_const"][None, None]
                number += 1
        side *= 2
    names = {
        "fromrgb": "FromRGB",
        "conv0": "Conv0",
        "conv1": "Conv1_down",
        "skip": "Skip",
        "conv": "Conv",
        "fc": "Dense0",
    }
    for name, x in d.items():
        block, layer, *part = name.split(".")
        if block == "mapping":
            rate = 1.0 if layer == "embed" else 0.1
            theirs = "LabelEmbed" if layer == "embed" else f"Mapping{layer[2:]}"
            b[f"{theirs}/{part[0]}"] = x.T * rate
        elif layer == "out":
            b[f"Output/{part[0]}"] = x.T
        else:
            b[f"{block[1:]}x{block[1:]}/{names[layer]}/{part[0]}"] = x.transpose(2, 3, 1, 0) if x.ndim == 4 else x.T
    return a, b
