"""Makes tests/foreign/data/descent.json: descents of torch.optim.SGD in f64, and
rates of torch.optim.lr_scheduler, for tests/it/torch.rs to hold linfit to.

    pip install torch numpy
    python tests/foreign/descent.py
"""

import json
from pathlib import Path

import torch
from torch.optim import lr_scheduler as schedules

STEPS = 120
X = [0.1 + k * 37 % 41 / 20 for k in range(41)]
T = [1.7 * x - 0.4 + (k % 7 - 3) / 9 for k, x in enumerate(X)]
WEIGHTS = [0.5 + k % 5 for k in range(41)]


def sgd(rate, options):
    w = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    b = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    return w, b, torch.optim.SGD([w, b], lr=rate, **options)


def loss(w, b, chosen, weights):
    x, t, s = (torch.tensor(v, dtype=torch.float64)[chosen] for v in (X, T, weights))
    return (s * (x * w + b - t) ** 2).sum() / s.sum()


def descent(rate, schedule=None, batch=None, epochs=STEPS, drop_last=False, weights=None, **options):
    """W and b after every step: `weight` and `bias` have as many numbers and one more."""
    w, b, optimiser = sgd(rate, options)
    scheduler = SCHEDULES[schedule](optimiser) if schedule else None
    n = len(X)
    starts = range(0, n, batch or n)
    if drop_last:
        starts = [start for start in starts if start + batch <= n]
    states = [(w.item(), b.item())]
    for _ in range(epochs):
        for start in starts:
            optimiser.zero_grad()
            chosen = slice(start, start + (batch or n))
            loss(w, b, chosen, weights or [1.0] * n).backward()
            optimiser.step()
            if scheduler:
                scheduler.step()
            states.append((w.item(), b.item()))
    settings = dict(rate=rate, schedule=schedule, batch=batch, epochs=epochs, drop_last=drop_last)
    settings |= dict(weighted=weights is not None, **options)
    return dict(**settings, weight=[w for w, _ in states], bias=[b for _, b in states])


def product(*parts):
    return lambda optimiser: schedules.ChainedScheduler([part(optimiser) for part in parts])


# Of a rate of 0.1; the names are linfit's.
SCHEDULES = {
    "constant": lambda o: schedules.ConstantLR(o, factor=1.0),
    "step:7:0.5": lambda o: schedules.StepLR(o, 7, gamma=0.5),
    "multistep:5,20,21,90:0.3": lambda o: schedules.MultiStepLR(o, [5, 20, 21, 90], gamma=0.3),
    "exponential:0.97": lambda o: schedules.ExponentialLR(o, 0.97),
    "exponential:1.01": lambda o: schedules.ExponentialLR(o, 1.01),
    "cosine:120": lambda o: schedules.CosineAnnealingLR(o, 120),
    "cosine:50:0.02": lambda o: schedules.CosineAnnealingLR(o, 50, eta_min=0.02),
    "warmup:10": lambda o: schedules.LinearLR(o, start_factor=0.1, total_iters=9),
    "warmup:1": lambda o: schedules.ConstantLR(o, factor=1.0),
    "inverse:0.25": lambda o: schedules.LambdaLR(o, lambda k: (k + 1) ** -0.25),
    "inverse:1": lambda o: schedules.LambdaLR(o, lambda k: 1 / (k + 1)),
    "warmup:10,step:30:0.5": product(
        lambda o: schedules.LinearLR(o, start_factor=0.1, total_iters=9),
        lambda o: schedules.StepLR(o, 30, gamma=0.5),
    ),
    "warmup:20,exponential:0.99,multistep:40,60:0.5": product(
        lambda o: schedules.LinearLR(o, start_factor=0.05, total_iters=19),
        lambda o: schedules.ExponentialLR(o, 0.99),
        lambda o: schedules.MultiStepLR(o, [40, 60], gamma=0.5),
    ),
}


def rates(name):
    _, _, optimiser = sgd(0.1, {})
    scheduler = SCHEDULES[name](optimiser)
    found = []
    for _ in range(STEPS):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return found


def main():
    descents = [
        descent(0.05),
        descent(0.05, momentum=0.9),
        descent(0.05, momentum=0.5, dampening=0.3),
        descent(0.05, dampening=0.3),
        descent(0.05, momentum=0.8, nesterov=True),
        descent(0.05, weight_decay=0.2),
        descent(0.05, momentum=0.9, weight_decay=0.05),
        descent(0.05, momentum=0.6, nesterov=True, weight_decay=0.1),
        descent(0.05, momentum=0.6, dampening=0.1, weight_decay=0.1, weights=WEIGHTS),
        descent(0.1, momentum=0.7, schedule="cosine:50:0.02"),
        descent(0.1, momentum=0.7, nesterov=True, schedule="warmup:10,step:30:0.5"),
        descent(0.05, batch=8, epochs=20),
        descent(0.05, batch=8, epochs=24, drop_last=True),
        descent(0.05, batch=10, epochs=24, momentum=0.7, nesterov=True, weight_decay=0.01),
        descent(0.05, batch=8, epochs=20, momentum=0.5, weights=WEIGHTS, schedule="exponential:0.97"),
        descent(0.01, batch=1, epochs=3),
        descent(0.05, batch=41, epochs=30),
        descent(0.05, batch=100, epochs=30),
    ]
    made = dict(
        torch=torch.__version__,
        x=X,
        t=T,
        weights=WEIGHTS,
        start=[-1.0, 2.0],
        descents=descents,
        schedules={name: rates(name) for name in SCHEDULES},
    )
    path = Path(__file__).parent / "data" / "descent.json"
    path.write_text(json.dumps(made, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
