#!/usr/bin/env python3
"""Prints the constants of trainer_pytorch_test.cc: what PyTorch makes of the same few steps.

Needs torch (here: 2.15), in double precision. Shares no code with the program: images, weights and
labels come from a formula that the test has, too, and the order of the images is a list.
"""

import math

import torch
from torch import nn
from torch.nn import functional

BATCH = 4
STEPS = 6
# EpochOrder(10, 5), which the test checks.
ORDER = [1, 6, 7, 4, 8, 3, 2, 0, 9, 5, 6, 8, 1, 4, 7, 0, 5, 3, 9, 2, 1, 6, 9, 7]


def numbers(tag, *shape):
    """Numbers between -0.5 and 0.5."""
    count = math.prod(shape)
    values = [(k + 1) * (2 * tag + 7) * 7919 % 1009 / 1009 - 0.5 for k in range(count)]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def network(tag, norm):
    parts = [nn.Conv2d(2, 4, 3, padding=1)] + ([nn.BatchNorm2d(4)] if norm else [])
    parts += [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
    net = nn.Sequential(*parts).double()
    with torch.no_grad():
        conv, linear = parts[0], parts[-1]
        conv.weight.copy_(0.8 * numbers(tag + 1, 4, 2, 3, 3))
        conv.bias.copy_(0.2 * numbers(tag + 2, 4))
        linear.weight.copy_(1.5 * numbers(tag + 3, 3, 4))
        linear.bias.copy_(0.2 * numbers(tag + 4, 3))
        if norm:
            parts[1].weight.copy_(1 + 0.4 * numbers(tag + 5, 4))
            parts[1].bias.copy_(0.2 * numbers(tag + 6, 4))
            parts[1].running_mean.copy_(0.2 * numbers(tag + 7, 4))
            parts[1].running_var.copy_(1 + 0.5 * numbers(tag + 8, 4))
    return net


def optimizer(net, kind, rate):
    weights = [net[0].weight, net[-1].weight]
    others = [p for p in net.parameters() if all(p is not w for w in weights)]
    groups = [{"params": weights}, {"params": others, "weight_decay": 0}]
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=rate, weight_decay=0.1)
    return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True, weight_decay=0.1)


def run(title, norm=True, kind="sgd", rate=0.2, teach=False, clip=None, smoothing=0.1):
    net = network(0, norm)
    teacher = network(20, norm).eval()
    net.train()
    steps = optimizer(net, kind, rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(steps, STEPS)
    losses = []
    for step in range(STEPS):
        chosen = ORDER[step * BATCH : (step + 1) * BATCH]
        images = torch.stack([4 * numbers(100 + i, 2, 5, 5) for i in chosen])
        labels = torch.tensor([i % 3 for i in chosen])
        scores = net(images)
        loss = functional.cross_entropy(scores, labels, label_smoothing=smoothing)
        if teach:
            with torch.no_grad():
                answers = functional.log_softmax(teacher(images) / 2, dim=1)
            divergence = functional.kl_div(
                functional.log_softmax(scores / 2, dim=1), answers, reduction="batchmean",
                log_target=True)
            loss = loss + 0.7 * 2 * 2 * divergence
        losses.append(loss.item())
        steps.zero_grad()
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        steps.step()
        schedule.step()
    names = {"0": "conv", str(len(net) - 1): "fc", "1": "bn"}
    print(title)
    print("  losses", ", ".join(f"{value:.9g}" for value in losses))
    for name, value in sorted(net.state_dict().items()):
        if value.dtype != torch.float64:
            continue
        index, part = name.split(".")
        # The first number, and a sum that every number has its own part in.
        mix = (value.flatten() * numbers(99, value.numel())).sum()
        print(f'  {{"{names[index]}.{part}", {{{value.flatten()[0]:.9g}, {mix:.9g}}}}},')


run("sgd")
run("distillation", teach=True, smoothing=0)
run("plain", norm=False)
run("clip", clip=0.3)
run("adamw", norm=False, kind="adamw", rate=0.05)
