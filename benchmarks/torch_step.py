"""The same training step as a plain PyTorch program, to measure against.

Our own writing of what the paper's program does in a step: two uniform draws
for presence and value, autograd, LAMB tensor by tensor as `torch_optimizer`
has it, the cosine schedule, bias decay.
"""

import math

import torch

from toymono.config import Config, Hyperparams
from toymono.tasks import TASKS


def stepper(config: Config, hyperparams: Hyperparams, seed: int = 0, device: str = "cpu"):
    """A function that takes one step each time it is called, and returns the loss."""
    torch.manual_seed(seed)
    left, _, _ = torch.linalg.svd(torch.randn(config.n, config.m), full_matrices=False)
    embed_nm = (left / left.norm(dim=1, keepdim=True)).to(device)
    other, _, _ = torch.linalg.svd(torch.randn(config.n, config.m), full_matrices=False)
    reproject_nm = (other / other.norm(dim=1, keepdim=True)).to(device)
    inner = torch.nn.Linear(config.m, config.k)
    outer = torch.nn.Linear(config.k, TASKS[config.task].outputs(config), bias=False)
    inner.bias.data += hyperparams.init_bias
    network = torch.nn.Sequential(inner, torch.nn.ReLU(), outer).to(device)
    params = list(network.parameters())
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in params]
    step = 0

    def sample(eps):
        shape = (config.batch_size, config.n)
        present = torch.rand(shape, device=device) < eps
        return present * torch.rand(shape, device=device)

    def take():
        nonlocal step
        if config.task == "abs":
            features = sample(hyperparams.eps / 2) - sample(hyperparams.eps / 2)
            target = features.abs()
        else:
            features = target = sample(hyperparams.eps)
        if config.task == "reproject":
            target = features @ reproject_nm
        error = network(features @ embed_nm) - target
        loss = (error**2).sum() / config.batch_size
        for p in params:
            p.grad = None
        loss.backward()
        rate = hyperparams.learning_rate * (1 + math.cos(math.pi * step / 512)) / 2
        with torch.no_grad():
            for p, (mu, nu) in zip(params, moments, strict=True):
                mu.mul_(0.9).add_(p.grad, alpha=0.1)
                nu.mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
                direction = mu / nu.sqrt().add(1e-6)
                weight, size = p.norm().clamp(0, 10), direction.norm()
                trust = 1.0 if weight == 0 or size == 0 else weight / size
                p.add_(direction, alpha=-rate * float(trust))
            inner.bias.mul_(1 - hyperparams.bias_decay * hyperparams.learning_rate)
        step += 1
        return loss

    return take
