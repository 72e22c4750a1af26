"""The kernels: a few rows of logits a program, and every logit read as seldom as the mathematics allows.

Of `C` logits a row, the losses of the target's probability are found in one reading and their gradient in another; the
gradient is the only tensor of the logits' size that is written. Between the two a row keeps five or seven numbers. A
reading goes through the row in blocks of `BLOCK` columns; each lane of a block keeps its own largest logit and sum of
exponentials, and the lanes meet once, at the end of the row.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"
# Triton reads the source of these functions: annotations would be taken for types of its own.
import triton
import triton.language as tl

from symloss.codegen.accelerator.functions import log1p, logsigmoid, sigmoid

LOWEST = tl.constexpr(-3.4028234663852886e38)
INFINITE = tl.constexpr(float("inf"))


@triton.jit
def copied(x, y):
    """Copies a number: the least that shows whether kernels can be built."""
    tl.store(y, tl.load(x))


@triton.jit
def rows_of(t, N, ignore_index, ROWS: tl.constexpr):
    """The program's rows, whether each exists, its target, and whether it counts."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    exists = row < N
    target = tl.load(t + row, mask=exists, other=0)
    return row, exists, target, exists & (target != ignore_index)


@triton.jit
def target_logit(z, stride, row, counts, target, C, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """The target's logit `d = log(p_t/(1 - p_t))`; of the others the largest, the sum of exponentials over that of the
    largest, and the sum, each less `z_t`.

    NaN for a target that is no class. Where all the others are masked the largest is the lowest number.
    """
    start = z + row * stride
    valid = counts & (target >= 0) & (target < C)
    own = tl.load(start + target, mask=valid, other=float("nan")).to(tl.float32)
    largest = tl.full([ROWS, BLOCK], LOWEST, tl.float32)
    total = tl.zeros([ROWS, BLOCK], tl.float32)
    gaps = tl.zeros([ROWS, BLOCK], tl.float32)
    for first in range(0, C, BLOCK):
        column = first + tl.arange(0, BLOCK)[None, :]
        other = counts[:, None] & (column < C) & (column != target[:, None])
        x = tl.load(start[:, None] + column, mask=other, other=-INFINITE).to(tl.float32)
        top = tl.maximum(largest, x)
        total = total * tl.exp(largest - top) + tl.exp(x - top)
        largest = top
        gaps += tl.where(other, x - own[:, None], 0.0)
    top = tl.max(largest, 1)
    total = tl.sum(total * tl.exp(largest - top[:, None]), 1)
    total = tl.where(total == 0, 1.0, total)
    # The logarithm is not added to the largest logit, which may have no digits left for it.
    return (own - top) - tl.log(total), top, total, tl.sum(gaps, 1)


@triton.jit
def slot(state, k: tl.constexpr, row, N):
    """Where the `k`-th number of a row stands."""
    return state + k * N.to(tl.int64) + row


@triton.jit
def keep(state, row, exists, counts, loss, N):
    """Writes the losses, 0 where a row does not count, and after them which rows do."""
    tl.store(slot(state, 0, row, N), tl.where(counts, loss, 0.0), mask=exists)
    tl.store(slot(state, 1, row, N), counts.to(tl.float32), mask=exists)


@triton.jit
def outer_of(g, every, sums, row, exists, SHARED: tl.constexpr):
    """The gradient by each row's loss: `every` is 0 where `g` is one number; of a mean, `sums[1]` rows share it."""
    outer = tl.load(g + row * every, mask=exists, other=0.0).to(tl.float32)
    return outer / tl.load(sums + 1) if SHARED else outer


@triton.jit(do_not_specialize=["N", "ignore_index"])
def target_forward(
    z, stride, t, state, N, C, ignore_index, low, high,
    curve: tl.constexpr, REACHES: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """`L = R(d)`: the losses, and what the gradient needs: with `s = dR/dd`, `-s` times the softmax of the others, and
    `s` in the target's place. Between `low` and `high` the curve is computed, beyond it goes on by its tangent."""
    row, exists, target, counts = rows_of(t, N, ignore_index, ROWS)
    d, top, total, _ = target_logit(z, stride, row, counts, target, C, ROWS, BLOCK)
    if REACHES:
        near = tl.where(d == d, tl.minimum(tl.maximum(d, low), high), d)
        loss, slope = curve(near, C * 1.0)
        loss = loss - slope * (d - near)
    else:
        loss, slope = curve(d, C * 1.0)
    keep(state, row, exists, counts, loss, N)
    tl.store(slot(state, 2, row, N), top, mask=exists)
    tl.store(slot(state, 3, row, N), tl.where(counts, slope / total, 0.0), mask=exists)
    tl.store(slot(state, 4, row, N), tl.where(counts, -slope, 0.0), mask=exists)


@triton.jit(do_not_specialize=["N", "ignore_index"])
def linear_forward(
    z, stride, t, state, N, C, ignore_index, a, b, s, peak,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """`L = (a - b) log p_t + b sum_j log p_j`: with `s = -(a + (C - 1) b)` the gradient is `b + s p_j`, and
    `peak - s (1 - p_t)` in the target's place, where `peak = a + s` is small and `s` is not: both come in float64."""
    row, exists, target, counts = rows_of(t, N, ignore_index, ROWS)
    d, top, total, gaps = target_logit(z, stride, row, counts, target, C, ROWS, BLOCK)
    u, q = logsigmoid(d), sigmoid(-d)
    # Of the others, `log p_j = (z_j - z_t) + log p_t`.
    loss = a * u + b * (gaps + (C - 1) * u)
    keep(state, row, exists, counts, loss, N)
    tl.store(slot(state, 2, row, N), top, mask=exists)
    tl.store(slot(state, 3, row, N), tl.where(counts, s * q / total, 0.0), mask=exists)
    tl.store(slot(state, 4, row, N), tl.where(counts, peak - s * q, 0.0), mask=exists)


@triton.jit(do_not_specialize=["N", "ignore_index"])
def rows_backward(
    z, stride, t, state, base, g, every, sums, gradient, N, C, ignore_index,
    SHARED: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """`g (base + slope exp(z_j - top))`, and `g peak` in the target's place."""
    row, exists, target, counts = rows_of(t, N, ignore_index, ROWS)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)[None, :]
    inside = exists[:, None] & (column < C)
    outer = outer_of(g, every, sums, row, exists, SHARED)
    top = tl.load(slot(state, 2, row, N), mask=exists, other=0.0)
    slope = tl.load(slot(state, 3, row, N), mask=exists, other=0.0)
    peak = tl.load(slot(state, 4, row, N), mask=exists, other=0.0)
    place = row[:, None]
    x = tl.load(z + place * stride + column, mask=inside, other=0.0).to(tl.float32)
    pull = base + slope[:, None] * tl.exp(x - top[:, None])
    pull = tl.where(column == target[:, None], peak[:, None], pull) * outer[:, None]
    pull = tl.where(counts[:, None], pull, 0.0)
    tl.store(gradient + place * C + column, pull.to(gradient.dtype.element_ty), mask=inside)


@triton.jit
def apart(z, stride, row, exists, C, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """A row's largest logit, its place, and the sum of the others' exponentials, each over that of the largest.

    Each lane keeps its largest logit and the sum of its others: a sum with the largest in it, and 1 taken off, would
    have lost the digits of `1 - p`.
    """
    start = z + row * stride
    largest = tl.full([ROWS, BLOCK], LOWEST, tl.float32)
    place = tl.zeros([ROWS, BLOCK], tl.int32)
    others = tl.zeros([ROWS, BLOCK], tl.float32)
    for first in range(0, C, BLOCK):
        column = first + tl.arange(0, BLOCK)[None, :]
        inside = exists[:, None] & (column < C)
        x = tl.load(start[:, None] + column, mask=inside, other=-INFINITE).to(tl.float32)
        # A NaN counts as one of the others, whose sum it makes NaN.
        rises = x > largest
        # The gap is that of the two, whichever is the larger.
        shrunk = tl.exp(-tl.abs(x - largest))
        others = tl.where(rises, (others + 1) * shrunk, others + shrunk)
        place = tl.where(rises, column, place)
        largest = tl.where(rises, x, largest)
    top = tl.max(largest, 1)
    lane = tl.argmax(largest, 1)
    at_top = tl.arange(0, BLOCK)[None, :] == lane[:, None]
    summed = tl.where(at_top, others, (others + 1) * tl.exp(largest - top[:, None]))
    k = tl.sum(tl.where(at_top, place, 0), 1)
    # A row without any logit above the lowest number has no probabilities.
    rest = tl.where(top > LOWEST, tl.sum(summed, 1), float("nan"))
    return top, k, rest


@triton.jit
def entries(z, stride, row, inside, column, top, k, rest):
    """`log p`, `p` and `1 - p` of a block: of the largest logit, at `k`, by the sum of the others."""
    start = z + row[:, None] * stride
    x = tl.load(start + column, mask=inside, other=-INFINITE).to(tl.float32)
    odds = tl.where(column == k, 0.0, x - top)  # the largest may be infinite
    p = tl.exp(odds) / (1 + rest)
    q = tl.where(column == k, rest / (1 + rest), 1 - p)
    return odds - log1p(rest), p, q


@triton.jit
def at_target(z, stride, row, valid, target, top, k, rest, C, curve: tl.constexpr):
    """Value and slope of the targets' entries, a column."""
    u, p, q = entries(z, stride, row, valid[:, None], target[:, None], top, k, rest)
    value, slope = curve(u, p, q, C * 1.0)
    return value, slope


@triton.jit(do_not_specialize=["N", "ignore_index"])
def dense_forward(
    z, stride, t, state, N, C, ignore_index,
    first: tl.constexpr, other: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """`L = sum_i M(y_i, p_i)`: the losses, and the slope by `log p` of the largest entry and the sum of the others'."""
    row, exists, target, counts = rows_of(t, N, ignore_index, ROWS)
    top, k, rest = apart(z, stride, row, exists, C, ROWS, BLOCK)
    valid = counts & (target >= 0) & (target < C)
    hit, its_slope = at_target(
        z, stride, row, valid, target, top[:, None], k[:, None], rest[:, None], C, first
    )
    loss = tl.zeros([ROWS, BLOCK], tl.float32)
    peak = tl.zeros([ROWS, BLOCK], tl.float32)
    sums = tl.zeros([ROWS, BLOCK], tl.float32)
    for begin in range(0, C, BLOCK):
        column = begin + tl.arange(0, BLOCK)[None, :]
        inside = exists[:, None] & (column < C)
        u, p, q = entries(z, stride, row, inside, column, top[:, None], k[:, None], rest[:, None])
        value, slope = other(u, p, q, C * 1.0)
        value = tl.where(column == target[:, None], hit, value)
        slope = tl.where(column == target[:, None], its_slope, slope)
        loss += tl.where(inside, value, 0.0)
        peak += tl.where(inside & (column == k[:, None]), slope, 0.0)
        sums += tl.where(inside & (column != k[:, None]), slope, 0.0)
    loss = tl.sum(loss, 1)
    keep(state, row, exists, counts, tl.where(valid, loss, float("nan")), N)
    tl.store(slot(state, 2, row, N), top, mask=exists)
    tl.store(slot(state, 3, row, N), rest, mask=exists)
    tl.store(slot(state, 4, row, N), tl.sum(peak, 1), mask=exists)
    tl.store(slot(state, 5, row, N), tl.sum(sums, 1), mask=exists)
    tl.store(slot(state, 6, row, N), k.to(tl.float32), mask=exists)


@triton.jit(do_not_specialize=["N", "ignore_index"])
def dense_backward(
    z, stride, t, state, g, every, sums, gradient, N, C, ignore_index,
    first: tl.constexpr, other: tl.constexpr, SHARED: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """With `h = dM/d(log p)`: `h_j - p_j sum_i h_i`, and `h_k (1 - p_k) - p_k sum_{i != k} h_i` of the largest."""
    row, exists, target, counts = rows_of(t, N, ignore_index, ROWS)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)[None, :]
    inside = exists[:, None] & (column < C)
    outer = outer_of(g, every, sums, row, exists, SHARED)
    top = tl.load(slot(state, 2, row, N), mask=exists, other=0.0)[:, None]
    rest = tl.load(slot(state, 3, row, N), mask=exists, other=0.0)[:, None]
    peak = tl.load(slot(state, 4, row, N), mask=exists, other=0.0)[:, None]
    others = tl.load(slot(state, 5, row, N), mask=exists, other=0.0)[:, None]
    k = tl.load(slot(state, 6, row, N), mask=exists, other=0.0).to(tl.int32)[:, None]
    u, p, q = entries(z, stride, row, inside, column, top, k, rest)
    _, slope = other(u, p, q, C * 1.0)
    valid = counts & (target >= 0) & (target < C)
    _, its_slope = at_target(z, stride, row, valid, target, top, k, rest, C, first)
    slope = tl.where(column == target[:, None], its_slope, slope)
    pull = tl.where(column == k, peak * (rest / (1 + rest)) - p * others, slope - p * (peak + others))
    pull = tl.where(counts[:, None], tl.where(valid[:, None], pull, float("nan")) * outer[:, None], 0.0)
    place = row[:, None] * C
    tl.store(gradient + place + column, pull.to(gradient.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["N"])
def elements_forward(z, y, losses, N, C, curve: tl.constexpr, SUMMED: tl.constexpr, BLOCK: tl.constexpr):
    """The losses of entries, or the sum of a block's."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < N
    x = tl.load(z + place, mask=inside, other=0.0).to(tl.float32)
    loss, _ = curve(x, tl.load(y + place, mask=inside, other=0.0).to(tl.float32), C)
    if SUMMED:
        tl.store(losses + tl.program_id(0), tl.sum(tl.where(inside, loss, 0.0), 0))
    else:
        tl.store(losses + place, loss, mask=inside)


@triton.jit(do_not_specialize=["N"])
def elements_backward(
    z, y, g, every, share, gradient, N, C, curve: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    """The slopes of entries, times `g share`."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < N
    x = tl.load(z + place, mask=inside, other=0.0).to(tl.float32)
    _, slope = curve(x, tl.load(y + place, mask=inside, other=0.0).to(tl.float32), C)
    outer = tl.load(g + place * every, mask=inside, other=0.0).to(tl.float32) * share
    tl.store(gradient + place, (slope * outer).to(gradient.dtype.element_ty), mask=inside)
