"""What a loss costs when many are trained at once: seconds of one processor for each, evaluation included.

python -m analysis.bench_population              # digits and diabetes, every case
python -m analysis.bench_population --repeats 5  # the least of five; other programs disturb all of them
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count, product

import torch

import symloss as sl
from symloss.expr.trees import Weighted, weighted_from
from symloss.meta import Member, train_members
from symloss.search.propose.gp import Rates, initial_program
from symloss.search.propose.grammar import Grammar
from symloss.search.screen.gate import gate
from symloss.tasks import SupervisedTask

RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
STOPS = (50, 100, 200, 300, 400, 500)


def evolved(task: SupervisedTask, number: int) -> list[Weighted]:
    """The first distinct trees of the default grammar that pass the gate, with coefficients on all edges."""
    grammar, found = Grammar(), dict[tuple[str, ...], Weighted]()
    for seed in count():
        tree = initial_program(grammar, Rates(), seed)
        if gate(tree, task.kind, task.classes).passed:
            edges = tuple(1 + 0.01 * i for i in range(tree.size - 1))
            found.setdefault(tree.tokens, Weighted(tree, edges))
        if len(found) == number:
            return list(found.values())
    raise AssertionError


def block(task: SupervisedTask, seed: int) -> SupervisedTask:
    """Training and validation rows drawn anew from what is not test."""
    X, y = (torch.cat([getattr(part, name) for part in (task.train, task.val)]) for name in ("X", "y"))
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(seed)).split(len(task.train))
    train, val = (replace(task.train, X=X[rows], y=y[rows]) for rows in order)
    return replace(task, train=train, val=val)


def members(
    losses: Sequence[Weighted],
    tasks: Sequence[SupervisedTask],
    rates: Sequence[float] = (1.0,),
    stops: tuple[int, ...] | None = None,
) -> list[Member]:
    """Every loss on every task at every rate."""
    return [
        Member(*loss.graph(), task, seed, rate, stops)
        for (seed, task), loss, rate in product(enumerate(tasks), losses, rates)
    ]


def cases(task: SupervisedTask) -> dict[str, list[Member]]:
    """By name, what a search trains at once."""
    zoo = [weighted_from(sl.named(name, kind=task.kind)) for name in sl.names(task.kind)]
    trees = evolved(task, 50)
    blocks = [block(task, seed) for seed in range(4)]
    return {
        **{f"{n} trees, one block": members(trees[:n], blocks[:1]) for n in (8, 25, 50)},
        "25 trees, one block, six stops": members(trees[:25], blocks[:1], stops=STOPS),
        "one loss, five rates, three blocks": members(zoo[:1], blocks[:3], RATES, STOPS),
        f"{len(zoo)} of the zoo, four blocks": members(zoo, blocks, stops=(100, 200, 400)),
    }


def alone(member: Member) -> float:
    """Seconds without this trainer."""
    loss = Weighted(member.program, member.edges).to_loss(member.task.kind)
    start = time.process_time()
    member.task.score(loss, seed=member.seed)
    return time.process_time() - start


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args(arguments).repeats
    torch.set_num_threads(1)
    for name in ("digits", "diabetes"):
        task = sl.load_task(name)
        assert isinstance(task, SupervisedTask)
        for case, chosen in cases(task).items():
            spent = []
            for _ in range(repeats):
                start = time.process_time()
                train_members(chosen)
                spent.append((time.process_time() - start) / len(chosen))
            print(f"{name:9} {case:36} {len(chosen):3} members  {min(spent):.3f} s each", flush=True)
        print(f"{name:9} alone, one after the other {min(map(alone, chosen[:4])):22.3f} s each", flush=True)


if __name__ == "__main__":
    main()
