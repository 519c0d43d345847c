"""Scores and analyses of one model by brute force: plain numpy in float64, loops and formulas.

Written from the definitions, without the package's code; `test_laws` compares
the two. Functions take a `Network` unless they say otherwise.
"""

import functools
import itertools
import math

import numpy as np
from settings import NONLINEARITIES
from sklearn.metrics import mutual_info_score


class Network:
    """A model and its world in float64."""

    def __init__(self, model, world):
        as_double = functools.partial(np.asarray, dtype=np.float64)
        self.w_mk, self.b_k, self.w_ko = map(as_double, (model.w_mk, model.b_k, model.w_ko))
        self.embed_nm = as_double(world.embed_nm)
        (self.n, self.m), self.k = self.embed_nm.shape, len(self.b_k)
        self.phi = NONLINEARITIES[model.nonlinearity]
        self.task, self.signed = world.task, world.task == "abs"
        if world.task == "reproject":
            self.read_no = as_double(world.reproject_nm)
        else:
            self.read_no = np.eye(self.n)

    def neurons(self, features_n):
        return self.phi(features_n @ self.embed_nm @ self.w_mk + self.b_k)

    def output(self, features_n, mask_k=None):
        mask_k = np.ones(self.k) if mask_k is None else mask_k
        return (self.neurons(features_n) * mask_k) @ self.w_ko

    def target(self, features_n):
        return (abs(features_n) if self.signed else features_n) @ self.read_no

    def response(self):
        signs = (1, -1) if self.signed else (1,)
        return sum(self.neurons(sign * np.eye(self.n)) for sign in signs).T

    def derivative(self, function, step=1e-6):
        """The derivative of each output by each feature at the input 0."""
        columns = [
            (function(step * e_n) - function(-step * e_n)) / (2 * step) for e_n in np.eye(self.n)
        ]
        return np.array(columns).T


def monosemanticity(response_kn):
    return [max(row_n.max(), 0) / (1e-10 + sum(r for r in row_n if r > 0)) for row_n in response_kn]


def strongest(response_kn):
    return [int(row_n.argmax()) if row_n.max() > 0 else -1 for row_n in response_kn]


def classify_neurons(net, threshold=0.999):
    score_k, dead_k = np.array(monosemanticity(net.response())), net.response().max(axis=1) <= 0
    return score_k > threshold, ~dead_k & (score_k <= threshold), dead_k


def mono_neurons_per_feature(net):
    mono_k, strongest_k = classify_neurons(net)[0], strongest(net.response())
    return [sum(mono_k[k] and strongest_k[k] == n for k in range(net.k)) for n in range(net.n)]


def features_by_mono_neurons(net):
    return [sum(min(count, 4) == i for count in mono_neurons_per_feature(net)) for i in range(5)]


def feature_order(net):
    score_k, response_kn = monosemanticity(net.response()), net.response()
    return sorted((score_k[k] for k in response_kn.argmax(axis=0)), reverse=True)


def capacity(vector_kn):
    gram_nn = vector_kn.T @ vector_kn
    return [row_n[n] ** 2 / (row_n**2).sum() if row_n[n] else 0 for n, row_n in enumerate(gram_nn)]


def regimes(features_bn):
    """Of a network: recovery and interference from loops over samples, the regime by its words."""

    def of(net):
        amplitude_b = (np.arange(len(features_bn)) + 0.5) / len(features_bn)
        score_k, strongest_k = monosemanticity(net.response()), strongest(net.response())
        rows = []
        for n, capacity_ in enumerate(capacity(net.response())):
            error, absent, zero = 0.0, 0.0, 0.0
            for given_n, amplitude in zip(np.array(features_bn, float), amplitude_b, strict=True):
                given_n[n] = amplitude
                error += (net.output(given_n)[n] - amplitude) ** 2
                zero += amplitude**2
                given_n[n] = 0
                absent += net.output(given_n)[n] ** 2
            best = max([0, *(s for s, i in zip(score_k, strongest_k, strict=True) if i == n)])
            served, recovery = best > 0.999, 1 - error / zero
            regime = 0 if served else 2 if recovery < 0.05 else 1
            rows.append((served, recovery, absent / len(features_bn), capacity_, best, regime))
        return tuple(np.array(rows).T)

    return of


def all_features(net):
    """Every group holds all features; a neuron's strongest is taken out of it."""
    score_k, silent_k = [], []
    for k, row_n in enumerate(net.response()):
        others_n = np.ones(net.n)
        others_n[row_n.argmax()] = 0
        active = max(net.neurons(others_n)[k], 0)
        score_k.append(max(row_n.max(), 0) / (1e-10 + max(row_n.max(), 0) + net.n * active))
        silent_k.append(float(active == 0))
    return score_k, silent_k


def one_feature(net):
    """Groups of one feature: eq. 7, and the fraction of the other features that do not activate."""
    response_kn = net.response()
    silent_k = [np.delete(row_n <= 0, row_n.argmax()).mean() for row_n in response_kn]
    return monosemanticity(response_kn), silent_k


def along(net, amplitude_b):
    mono_k = net.b_k <= 0
    inputs = [[a * e_n for a in amplitude_b] for e_n in np.eye(net.n)]
    outputs = [
        lambda f_n: net.output(f_n),
        lambda f_n: net.output(f_n, mono_k),
        lambda f_n: net.output(f_n, ~mono_k),
        net.target,
    ]
    return tuple(
        np.array([[output(f_n) for f_n in batch] for batch in inputs]) for output in outputs
    )


def linearise(net):
    poly_k = net.b_k > 0
    map_on = net.derivative(lambda f_n: net.output(f_n, poly_k))
    values = np.linalg.svd(map_on, compute_uv=False)[: net.m]
    slope_n = [net.read_no[n] @ map_on[:, n] for n in range(net.n)]
    return map_on, net.output(np.zeros(net.n), poly_k), slope_n, values


def linearisation_error(net):
    map_on, offset_o, *_ = linearise(net)
    outputs = [net.output(f_n, net.b_k > 0) for f_n in np.eye(net.n)]
    errors = [y_o - offset_o - map_on[:, n] for n, y_o in enumerate(outputs)]
    return np.linalg.norm(errors) / np.linalg.norm(outputs)


def effective_rank(net):
    share_m = linearise(net)[3] / linearise(net)[3].sum()
    return math.exp(-sum(share * math.log(share) for share in share_m))


def identity_similarity(net):
    map_on = linearise(net)[0]
    if net.task == "reproject":
        # Least squares: the map of the embedded features closest to the targets of all features.
        answer_mo, *_ = np.linalg.lstsq(net.embed_nm, net.read_no, rcond=None)
        identity_on = (net.embed_nm @ answer_mo).T
        scale = (map_on * identity_on).sum() / (identity_on**2).sum()
        return scale, np.linalg.norm(map_on - scale * identity_on) / np.linalg.norm(map_on)
    leading = np.linalg.eigvalsh((map_on + map_on.T) / 2)[-net.m :].sum()
    return leading / net.m, math.sqrt(1 - leading**2 / (net.m * np.linalg.norm(map_on) ** 2))


def kinks(net):
    """Kinks sorted by position; start and slope from the output itself."""
    rows = []
    for n, e_n in enumerate(np.eye(net.n)):
        gain_k = e_n @ net.embed_nm @ net.w_mk
        weight_k = net.w_ko @ net.read_no[n]
        found = sorted(
            (-net.b_k[k] / gain_k[k], abs(gain_k[k]) * weight_k[k], k)
            for k in range(net.k)
            if 0 < -net.b_k[k] / gain_k[k] < 1
        )
        found += [(math.inf, 0, -1)] * (net.k - len(found))
        start, near = (net.output(a * e_n) @ net.read_no[n] for a in (0, 1e-6))
        rows.append((*zip(*found, strict=True), start, (near - start) / 1e-6))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def own_kinks(net):
    mono_k, strongest_k = classify_neurons(net)[0], strongest(net.response())
    rows = []
    for n, e_n in enumerate(np.eye(net.n)):
        position_k = -net.b_k / (e_n @ net.embed_nm @ net.w_mk)
        own = sorted(
            position_k[k]
            for k in range(net.k)
            if mono_k[k] and strongest_k[k] == n and 0 < position_k[k] < 1
        )
        rows.append([*own, math.nan, math.nan][:2])
    return rows


def overlap(net):
    count_ny = net.response().clip(0).T
    scaled_ny = [row_k / (row_k.max() + 1e-9) for row_k in count_ny]
    pairs = list(itertools.combinations(scaled_ny, 2))
    return sum(one @ other for one, other in pairs) / len(pairs)


def weight_graph(net):
    sizes = [net.m, net.k, net.w_ko.shape[1]]
    graph_vv = np.zeros((sum(sizes), sum(sizes)))
    for (i, k), weight in np.ndenumerate(net.w_mk):
        graph_vv[i, net.m + k] = graph_vv[net.m + k, i] = abs(weight)
    for (k, o), weight in np.ndenumerate(net.w_ko):
        graph_vv[net.m + k, net.m + net.k + o] = graph_vv[net.m + net.k + o, net.m + k] = abs(
            weight
        )
    return graph_vv, np.repeat(range(3), sizes)


def n_cut(net):
    graph_vv, layer_v = weight_graph(net)
    total = 0.0
    for layer in range(3):
        edges = [(v, w) for v in np.flatnonzero(layer_v == layer) for w in range(len(layer_v))]
        leaving = sum(graph_vv[v, w] for v, w in edges if layer_v[w] != layer)
        total += leaving / sum(graph_vv[v, w] for v, w in edges)
    return total


def class_order(net):
    """The (strongest, score) pairs in their order, dead neurons last."""
    pairs = zip(strongest(net.response()), monosemanticity(net.response()), strict=True)
    pairs = sorted(pairs, key=lambda pair: (pair[0] if pair[0] >= 0 else net.n, -pair[1]))
    return tuple(zip(*pairs, strict=True))


def information(net):
    """Mutual information of the sign of the bias and the strongest feature."""
    strongest_k = np.array(strongest(net.response()))
    alive_k = strongest_k >= 0
    return mutual_info_score((net.b_k > 0)[alive_k], strongest_k[alive_k])


def affine_map(x_m):
    """The matrix and the offset of a relu network where its input is `x_m`."""

    def of(net):
        on_k = x_m @ net.w_mk + net.b_k > 0
        return ((net.w_mk * on_k[None]) @ net.w_ko).T, (net.b_k * on_k) @ net.w_ko

    return of
