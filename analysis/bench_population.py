"""What a loss costs when many are trained at once: seconds of one processor for each, evaluation included.

python -m analysis.bench_population              # digits and diabetes, every case
python -m analysis.bench_population --repeats 5  # the least of five; other programs disturb all of them
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import count, product

import torch

import symloss as sl
from symloss.expr.trees import Weighted, weighted_from
from symloss.meta import Member, train_members
from symloss.search.propose.gp import Rates, initial_program
from symloss.search.propose.grammar import Grammar
from symloss.search.screen.gate import gate
from symloss.tasks import Block, SupervisedTask

RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
STOPS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
THREE = (0.2, 0.4, 0.8)


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


def members(
    losses: Sequence[Weighted],
    blocks: Sequence[Block[SupervisedTask]],
    rates: Sequence[float] = (1.0,),
    shares: Sequence[float] = (1.0,),
) -> list[Member]:
    """Every loss on every block at every rate, looked at after shares of the task's steps."""
    stops = tuple(round(share * blocks[0].task.settings.steps) for share in shares)
    return [
        Member(*loss.graph(), block.task, block.seed, rate, stops)
        for block, loss, rate in product(blocks, losses, rates)
    ]


def cases(task: SupervisedTask) -> dict[str, list[Member]]:
    """By name, what a search trains at once."""
    zoo = [weighted_from(sl.named(name, kind=task.kind)) for name in sl.names(task.kind)]
    trees = evolved(task, 50)
    blocks = [task.block(0, number) for number in range(4)]
    return {
        **{f"{n} trees, one block": members(trees[:n], blocks[:1]) for n in (8, 25, 50)},
        "25 trees, one block, six stops": members(trees[:25], blocks[:1], shares=STOPS),
        "one loss, five rates, three blocks": members(zoo[:1], blocks[:3], RATES, STOPS),
        f"{len(zoo)} of the zoo, four blocks": members(zoo, blocks, shares=THREE),
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
    parser.add_argument("--tasks", default="digits,diabetes")
    parser.add_argument("--steps", type=int, help="of every training; the task's own unless given")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for name in options.tasks.split(","):
        task = sl.load_task(name)
        assert isinstance(task, SupervisedTask)
        if options.steps:
            task = task.with_settings(steps=options.steps)
        for case, chosen in cases(task).items():
            spent = []
            for _ in range(options.repeats):
                start = time.process_time()
                train_members(chosen)
                spent.append((time.process_time() - start) / len(chosen))
            print(f"{name:9} {case:36} {len(chosen):3} members  {min(spent):.3f} s each", flush=True)
        print(f"{name:9} alone, one after the other {min(map(alone, chosen[:4])):22.3f} s each", flush=True)


if __name__ == "__main__":
    main()
