"""Ratios of two densities at given points: the weights of instance-based methods."""

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # multiples of the median squared distance
MAX_ROWS = 1500  # for methods that need all pairs


def effective_size(weights: np.ndarray) -> float:
    """(Σw)² / Σw²: how many equally weighted images would give means of the same variance."""
    return float(weights.sum() ** 2 / np.square(weights).sum())


def discriminator_ratio(source: np.ndarray, target: np.ndarray, max_weight: float, seed: int) -> np.ndarray:
    """n_s/n_t · d/(1 - d), with d the probability of the target by logistic regression, in five folds.

    Args:
        source: Features (n, d).
        target: Features (m, d).
        max_weight: Largest ratio.
        seed: Shuffles the folds.

    Returns:
        float64 (n,), 1 on average.
    """
    order = np.random.default_rng(seed).permutation(len(source) + len(target))
    x = np.concatenate([source, target])[order]
    y = np.repeat([0, 1], [len(source), len(target)])[order]
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000)
    probabilities = np.empty(len(x))
    probabilities[order] = cross_val_predict(model, x, y, cv=5, method="predict_proba")[:, 1]
    d = probabilities[: len(source)]
    return _scaled(np.minimum(d / np.maximum(1.0 - d, 1e-9), max_weight))


def kliep(source: np.ndarray, target: np.ndarray, centres: int, seed: int) -> np.ndarray:
    """w(x) = Σ α_l k(x, c_l) with the largest mean log w over the target, mean 1 over the source, α ≥ 0.

    The width of the kernels is that with the largest mean log w over target images left out, in three folds.

    Args:
        source: Features (n, d).
        target: Features (m, d).
        centres: Number of target images that kernels sit on.
        seed: Chooses them.
    """
    rng = np.random.default_rng(seed)
    at = rng.permutation(len(target))[:centres]
    to_source, to_target = (cdist(x, target[at], "sqeuclidean") for x in (source, target))
    median = np.median(to_target) + 1e-12
    folds = np.arange(len(target)) % 3

    def fit(width: float, rows: np.ndarray | slice) -> np.ndarray:
        a, b = np.exp(-to_target[rows] / (2 * width * median)), np.exp(-to_source / (2 * width * median)).mean(0)
        alpha = np.full(len(at), 1.0 / b.sum())
        for _ in range(200):  # EM steps: multiplicative, so α stays ≥ 0 and the mean stays 1
            alpha *= (a / np.maximum(a @ alpha, 1e-300)[:, None]).mean(0) / np.maximum(b, 1e-300)
        return alpha

    def held_out(width: float) -> float:
        total = 0.0
        for fold in range(3):
            alpha = fit(width, folds != fold)
            total += np.log(np.exp(-to_target[folds == fold] / (2 * width * median)) @ alpha + 1e-300).sum()
        return total

    width = max(WIDTHS, key=held_out)
    return _scaled(np.exp(-to_source / (2 * width * median)) @ fit(width, slice(None)))


def kmm(source: np.ndarray, target: np.ndarray, max_weight: float, seed: int) -> np.ndarray:
    """Min ½ wᵀKw - κᵀw with 0 ≤ w ≤ `max_weight`; the mean is brought to 1 afterwards.

    The width of the kernel is that with the lowest held-out objective: weights of half of the source are regressed on
    its features, and scored on the other half.

    Args:
        source: Features (n, d); beyond `MAX_ROWS`, further rows get the weight of the nearest one solved for.
        target: Features (m, d).
        max_weight: Largest weight.
        seed: Chooses the halves.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(source))[:MAX_ROWS]
    source_rows, target_rows = source[rows], target[rng.permutation(len(target))[:MAX_ROWS]]
    inner, across = cdist(source_rows, source_rows, "sqeuclidean"), cdist(source_rows, target_rows, "sqeuclidean")
    median = np.median(across) + 1e-12
    half = len(rows) // 2
    a, b = np.arange(half), np.arange(half, len(rows))

    def objective_terms(width: float, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kernel = np.exp(-inner[np.ix_(at, at)] / (2 * width * median))
        return kernel, np.exp(-across[at] / (2 * width * median)).mean(1) * len(at)

    def solve(width: float, at: np.ndarray) -> np.ndarray:
        kernel, kappa = objective_terms(width, at)
        kernel[np.diag_indices_from(kernel)] += 1e-3

        def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
            product = kernel @ w
            return 0.5 * w @ product - kappa @ w, product - kappa

        start = np.ones(len(at))
        return minimize(objective, start, jac=True, bounds=[(0.0, max_weight)] * len(at), method="L-BFGS-B").x

    def held_out(width: float) -> float:
        nearest = inner[np.ix_(b, a)].argmin(1)
        w = solve(width, a)[nearest]
        # In units of the target mean's own length, so that widths can be compared.
        kernel, kappa = objective_terms(width, b)
        own = np.exp(-cdist(target_rows, target_rows, "sqeuclidean") / (2 * width * median)).mean()
        return (w @ kernel @ w / len(b) ** 2 - 2.0 * kappa @ w / len(b) ** 2) / own

    width = min(WIDTHS, key=held_out)
    weights = solve(width, np.arange(len(rows)))
    nearest = np.concatenate([cdist(part, source_rows, "sqeuclidean").argmin(1) for part in np.array_split(source, 8)])
    return _scaled(weights[nearest])


def _scaled(weights: np.ndarray) -> np.ndarray:
    return weights / weights.mean()
