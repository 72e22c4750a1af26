"""The fixed parts of an exported file; `@NAME@` marks what the formula fills in."""

from __future__ import annotations

__all__ = [
    "AT_TARGET_CALL", "COMPOSED", "CROSS_ENTROPY", "FUSED", "FUSED_CALL", "KERNEL_MODULE", "MODULES", "UNFUSED_CALL",
]  # fmt: skip

_SOFT_LOSSES = '''def soft_losses(u, v, y, C, pi, w):
    """The losses of entries; `where` masks the inputs of a branch, since a masked infinity has a NaN gradient."""
    zero, logs = y == 0, (u, v)
    u, v = (torch.where(zero, x, math.log(0.5)) for x in logs)
    zeros = like(@OTHER@, u)
    u, v = (torch.where(zero, math.log(0.5), x) for x in logs)
    y = torch.where(zero, 1.0, y)
    return torch.where(zero, zeros, like(@SOFT@, u))


'''
_CLASS_COMPOSED = '''def composed_losses(z, t, soft, weight, pi, w):
    """Every instance's loss by operations that autograd knows, for soft labels and higher derivatives."""
    C = z.shape[1]
    u, v = all_pairs(z if weight is None else voided(z, weight))
    if soft is not None:
        losses = soft_losses(u, v, soft, C, pi, w)
    else:
        losses = like(@OTHER@, u)
        u, v = u.gather(1, t), v.gather(1, t)@PI_AT_T@
        losses = losses.scatter(1, t, like(@TARGET@, u))
    return (losses if weight is None else losses * weight).sum(1, keepdim=True)
'''

_ENTRY_COMPOSED = '''def composed_losses(z, y, pi, w):
    """Every entry's loss by operations that autograd knows, for higher derivatives."""
    C = z.shape[1] if z.dim() > 1 else 1
    return soft_losses(*sigmoid_pair(z), y, C, pi, w)
'''

_REGRESSION_COMPOSED = '''def composed_losses(p, y, pi, w):
    """Every entry's loss by operations that autograd knows, for higher derivatives."""
    return like(@SOFT@, p)
'''

COMPOSED = {
    "softmax": _SOFT_LOSSES + _CLASS_COMPOSED,
    "sigmoid": _SOFT_LOSSES + _ENTRY_COMPOSED,
    "identity": _REGRESSION_COMPOSED,
    "sign": _REGRESSION_COMPOSED,
}

_CLASS_DOUBLE = """        if torch.is_grad_enabled():  # a derivative of the derivative is wanted
            loss = reduced(composed_losses(z, t, None, None, pi, w), reduction)
            return (*torch.autograd.grad(loss, z, g, create_graph=True), None, None, None, None)
        g = shared(g, t, reduction)
"""

_CLASS_REDUCTION = '''def reduced(losses, reduction):
    """The losses of the instances `[N, 1, ...]`, without that dimension, or their mean or sum."""
    if reduction == "none":
        return losses.squeeze(1)
    return losses.mean() if reduction == "mean" else losses.sum()


def shared(g, t, reduction):
    """From the gradient by what `reduced` gives, that by the loss of each instance."""
    if reduction == "none":
        return g.unsqueeze(1)
    return g / t.numel() if reduction == "mean" else g


'''

_TARGET = '''class FusedLoss(torch.autograd.Function):
    """With d = log(p_t/(1 - p_t)), s = dL/dd and P the softmax of the others' logits: dL/dz_j = -s P_j, s at t."""

    @staticmethod
    def forward(ctx, z, t, pi, w, reduction):
        ctx.constants = t, pi, w, reduction
        C = z.shape[1]
        rest = z.scatter(1, t, torch.finfo(z.dtype).min)
        P = torch.softmax(rest, 1)
        top, k = rest.max(1, keepdim=True)
        d = z.gather(1, t) - (top - torch.log(P.gather(1, k)))  # of the log-sum-exp of the others
        u, v = sigmoid_pair(d)  # exact at both ends@PI_AT_T@
        @BOUNDED@value, slope = @ROW_AND_SLOPE@@CONTINUED@
        ctx.save_for_backward(z, P, like(slope, u))
        return reduced(like(value, u), reduction)

    @staticmethod
    def backward(ctx, g):
        (z, P, slope), (t, pi, w, reduction) = ctx.saved_tensors, ctx.constants
@DOUBLE@        s = slope * g
        return (P * -s).scatter_(1, t, s), None, None, None, None
'''

_DENSE = '''class FusedLoss(torch.autograd.Function):
    """One sweep: with h_j = dM/d(log p_j), dL/dz_j = h_j - p_j sum_i h_i."""

    @staticmethod
    def sweep(z, t, pi, w):
        C = z.shape[1]
        u = torch.log_softmax(z, 1)
        P = p = torch.exp(u)
        # Only 1 - p of the largest entry k can cancel: there it is the sum of the others.
        k = p.argmax(1, keepdim=True)
        rest = p.scatter(1, k, 0.0).sum(1, keepdim=True)
        q = (1 - p).scatter_(1, k, rest)
        u = u.scatter(1, k, torch.where(rest < 0.5, torch.log1p(-rest), u.gather(1, k)))
        value, slope = (like(x, u) for x in @OTHER_AND_SLOPE@)
        u, p, q = (x.gather(1, t) for x in (u, p, q))@PI_AT_T@
        hit, hit_slope = (like(x, u) for x in @TARGET_AND_SLOPE@)
        value, slope = value.scatter(1, t, hit), slope.scatter(1, t, hit_slope)
        peak, others = slope.gather(1, k), slope.scatter(1, k, 0.0).sum(1, keepdim=True)
        gradient = torch.addcmul(slope, P, peak + others, value=-1)
        return value.sum(1, keepdim=True), gradient.scatter_(1, k, peak * rest - P.gather(1, k) * others)

    @staticmethod
    def forward(ctx, z, t, pi, w, reduction):
        ctx.constants = t, pi, w, reduction
        rows = max(1, (1 << 17) * z.shape[0] // max(1, z.numel()))
        if rows >= z.shape[0]:
            losses, gradient = FusedLoss.sweep(z, t, pi, w)
        else:  # in blocks of instances, whose temporaries stay in the processor's cache
            parts, gradient = [], torch.empty_like(z)
            for start in range(0, z.shape[0], rows):
                block = slice(start, start + rows)
                weights = w[block] if torch.is_tensor(w) and w.dim() else w
                part, gradient[block] = FusedLoss.sweep(z[block], t[block], pi, weights)
                parts.append(part)
            losses = torch.cat(parts)
        ctx.save_for_backward(z, gradient)
        return reduced(losses, reduction)

    @staticmethod
    def backward(ctx, g):
        (z, gradient), (t, pi, w, reduction) = ctx.saved_tensors, ctx.constants
@DOUBLE@        return gradient * g, None, None, None, None
'''

_LINEAR = '''class FusedLoss(torch.autograd.Function):
    """L = a log p_t + b (sum of the others' log p); dL/dz_j = b - (a + (C - 1) b) p_j, a - b more at t."""

    @staticmethod
    def forward(ctx, z, t, pi, w, reduction):
        ctx.constants = t, pi, w, reduction
        a, b = coefficients(float(z.shape[1]))
        logs = torch.log_softmax(z, 1)
        u, p = logs.gather(1, t), torch.exp(logs)
        q = p.scatter_(1, t, 0.0).sum(1, keepdim=True)
        u = F.logsigmoid(u - torch.log(q))  # exact where p_t rounds to 1
        ctx.save_for_backward(z, p, q)
        return reduced(torch.add((a - b) * u, logs.sum(1, keepdim=True), alpha=b), reduction)

    @staticmethod
    def backward(ctx, g):
        (z, p, q), (t, pi, w, reduction) = ctx.saved_tensors, ctx.constants
@DOUBLE@        a, b = coefficients(float(z.shape[1]))
        s = -(a + (z.shape[1] - 1) * b)
        gradient = (p * s).add_(b).scatter_(1, t, (a + s) - s * q)
        return gradient.mul_(g), None, None, None, None
'''

_ENTRY = '''class FusedLoss(torch.autograd.Function):
    """One sweep gives every entry's loss and its derivative."""

    @staticmethod
    def forward(ctx, z, y, pi, w):
@INPUTS@
        ctx.save_for_backward(z, slope)
        ctx.constants = y, pi, w
        return value

    @staticmethod
    def backward(ctx, g):
        (z, slope), (y, pi, w) = ctx.saved_tensors, ctx.constants
        if torch.is_grad_enabled():  # a derivative of the derivative is wanted
            losses = composed_losses(z, y, pi, w)
            return (*torch.autograd.grad(losses, z, g, create_graph=True), None, None, None)
        return slope * g, None, None, None
'''

_MULTILABEL_INPUTS = """        C = z.shape[1] if z.dim() > 1 else 1
        u, v = sigmoid_pair(z)
        zero, y_or_1 = y == 0, torch.where(y == 0, 1.0, y)
        zeros, rest = @OTHER_AND_SLOPE@, soft_and_slope_at(u, v, y_or_1, C, pi, w)
        value, slope = (torch.where(zero, like(a, u), like(b, u)) for a, b in zip(zeros, rest))"""

_REGRESSION_INPUTS = """        p = z
        value, slope = (like(x, p) for x in @SOFT_AND_SLOPE@)"""

FUSED = {
    "target": _CLASS_REDUCTION + _TARGET.replace("@DOUBLE@", _CLASS_DOUBLE),
    "dense": _CLASS_REDUCTION + _DENSE.replace("@DOUBLE@", _CLASS_DOUBLE),
    "linear": _CLASS_REDUCTION + _LINEAR.replace("@DOUBLE@", _CLASS_DOUBLE),
    "sigmoid": _ENTRY.replace("@INPUTS@", _MULTILABEL_INPUTS),
    "identity": _ENTRY.replace("@INPUTS@", _REGRESSION_INPUTS),
    "sign": _ENTRY.replace("@INPUTS@", _REGRESSION_INPUTS),
}

_CLASS_MODULE = '''class SymbolicLoss(nn.Module):
    """The loss of logits [N, C, ...] and class indices [N, ...] or probabilities [N, C, ...].

    As `nn.CrossEntropyLoss`: `weight` [C] multiplies each class's term, the mean over class indices divides
    by the summed weights of the targets, instances with the class `ignore_index` do not count.@PRIORS_DOC@
    """

    def __init__(self, reduction="mean", weight=None, ignore_index=-100, priors=None):
        super().__init__()
        self.reduction, self.ignore_index, self.weighted = reduction, ignore_index, weight is not None
        self.register_buffer("weight", None if weight is None else torch.as_tensor(weight))
        self.register_buffer("priors", None if priors is None else torch.as_tensor(priors))

    def forward(self, outputs, target, w=1.0):
@KERNEL@        logits = @WIDENED@(outputs)
        return narrowed(self.of_logits(logits, target, w), outputs)

    def of_logits(self, logits, target, w):
        shape = -1, *[1] * (logits.dim() - 2)
        weight = self.weight.to(logits).view(shape) if self.weighted else None
        pi = @PI@@W@
        if target.is_floating_point():
            if self.ignore_index >= 0:
                raise RuntimeError("ignore_index is not supported for class probabilities")
            losses = composed_losses(logits, None, target.to(logits.dtype), weight, pi, w).squeeze(1)
            count = losses.numel()
        else:
@FUSED@            losses = torch.where(kept, losses, 0.0)
            count = weights.sum()
        if self.reduction == "none":
            return losses
        return losses.sum() / count if self.reduction == "mean" else losses.sum()
'''

_ENTRY_MODULE = '''class SymbolicLoss(nn.Module):
    """The loss of @OUTPUTS@ and targets of the same shape.@PRIORS_DOC@"""

    def __init__(self, reduction="mean", priors=None):
        super().__init__()
        self.reduction = reduction
        self.register_buffer("priors", None if priors is None else torch.as_tensor(priors))

    def forward(self, outputs, target, w=1.0):
        if target.shape != outputs.shape:
            raise ValueError(f"expected targets of shape {tuple(outputs.shape)}, got {tuple(target.shape)}")
        z = @WIDENED@(outputs)
        pi = None if self.priors is None else self.priors.to(z)
        w = w@W_SHAPE@ if torch.is_tensor(w) and w.dim() else w
        losses = FusedLoss.apply(z, target.to(z.dtype), pi, w)
        if self.reduction != "none":
            losses = losses.mean() if self.reduction == "mean" else losses.sum()
        return narrowed(losses, outputs)
'''

_MARGIN_MODULE = '''class SymbolicLoss(nn.Module):
    """The loss of margins, or of scores f and targets t in {0, 1} of one shape: m = beta (2t - 1) f.

    `weight` [2] multiplies the losses of target 0 and of target 1.
    """

    def __init__(self, reduction="mean", weight=None, beta=1.0):
        super().__init__()
        self.reduction, self.beta = reduction, beta
        self.register_buffer("weight", None if weight is None else torch.as_tensor(weight))

    def forward(self, outputs, target=None, w=1.0):
        if target is not None and target.shape != outputs.shape:
            raise ValueError(f"expected targets of shape {tuple(outputs.shape)}, got {tuple(target.shape)}")
        if target is None and self.weight is not None:
            raise ValueError("expected targets for the weight of each class, got margins alone")
        m = self.beta * @WIDENED@(outputs)
        if target is not None:
            t = target.to(m.dtype)
            if ((t != 0) & (t != 1)).any():
                raise ValueError("expected targets 0 and 1")
            m = m * (2 * t - 1)
        losses = FusedLoss.apply(m, None, None, w)
        if self.weight is not None:
            off, on = self.weight.to(m)
            losses = losses * (off * (1 - t) + on * t)
        if self.reduction != "none":
            losses = losses.mean() if self.reduction == "mean" else losses.sum()
        return narrowed(losses, outputs)
'''

_KEPT = """            kept = target != self.ignore_index
            logits = torch.where(kept.unsqueeze(1), logits, 0.0)  # what does not count may be infinite
            t = torch.where(kept, target, 0)
            weights = kept if weight is None else torch.where(kept, weight.flatten()[t], 0.0)
            t = t.unsqueeze(1)
"""
UNFUSED_CALL = f"""{_KEPT}            losses = composed_losses(logits, t, None, weight, pi, w).squeeze(1)
"""
FUSED_CALL = f"""            fused = not self.weighted and logits.shape[1] > 1 and target.numel() > 0
            if fused and target.amin().item() >= 0 > self.ignore_index:
                return FusedLoss.apply(logits, target.unsqueeze(1), pi, w, self.reduction)
{_KEPT}            if fused:
                losses = FusedLoss.apply(logits, t, pi, w, "none")
            else:
                losses = composed_losses(logits, t, None, weight, pi, w).squeeze(1)
"""
AT_TARGET_CALL = f"""            fused = logits.shape[1] > 1 and target.numel() > 0
            if fused and not self.weighted and target.amin().item() >= 0 > self.ignore_index:
                return FusedLoss.apply(logits, target.unsqueeze(1), pi, w, self.reduction)
{_KEPT}            logits = logits if weight is None else voided(logits, weights.unsqueeze(1))
            if fused:
                losses = FusedLoss.apply(logits, t, pi, w, "none")
            else:
                losses = composed_losses(logits, t, None, None, pi, w).squeeze(1)
            losses = losses if weight is None else losses * weights
"""
"""Where only the target's class has a loss, and no other's weight counts."""

CROSS_ENTROPY = """        if outputs.numel() <= 1 << 20:  # beyond, the one exponential of `FusedLoss` is faster
            weight = self.weight.to(outputs) if self.weighted else None
            return @SCALE@F.cross_entropy(
                outputs, target, weight, ignore_index=self.ignore_index, reduction=self.reduction
            )
"""

KERNEL_MODULE = '''class SymbolicLoss(nn.Module):
    """The loss of @OUTPUTS@ and targets of the same shape."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, outputs, target):
        if target.shape != outputs.shape:
            raise ValueError(f"expected targets of shape {tuple(outputs.shape)}, got {tuple(target.shape)}")
        z = widened(outputs)
        return narrowed(@SCALE@@KERNEL@(z, target.to(z.dtype), reduction=self.reduction@OPTIONS@), outputs)
'''
"""Of a multilabel or regression loss that torch has."""

MODULES = {
    "softmax": _CLASS_MODULE,
    "sigmoid": _ENTRY_MODULE.replace("@OUTPUTS@", "logits").replace("@W_SHAPE@", ".unsqueeze(1)"),
    "identity": _ENTRY_MODULE.replace("@OUTPUTS@", "predictions").replace("@W_SHAPE@", ""),
    "sign": _MARGIN_MODULE,
}
