"""Which powers of numbers SymPy can take apart in reasonable time.

It writes `12**(1/3)` as `2**(2/3)*3**(1/3)`, and gathers the primes whose exponents share nothing with the
denominator `q` under one `q`-th root: the number there has about as many digits as `q` is large, and is factored again.
"""

from __future__ import annotations

import math

from sympy import Integer, Rational

__all__ = ["MAX_ROOT_BITS", "is_taken_apart"]

MAX_ROOT_BITS = 4096
"""Bits of the number under the gathered root; one of some 10,000 bits takes seconds, of 100,000 hours."""


def is_taken_apart(number: Rational, exponent: Rational) -> bool:
    """Whether SymPy writes `number**exponent` by its primes without ever meeting a number too large to factor.

    >>> is_taken_apart(Rational(12), Rational(1, 3)), is_taken_apart(Rational(78867, 10), Rational(97739, 100000))
    (True, False)
    """
    # (a/b)**(p/q) = a**(p/q) b**(-p/q), and SymPy takes each whole number apart by itself.
    whole = ((number.p, exponent.p), (number.q, -exponent.p))
    return all(_bits(abs(n), p, exponent.q) <= MAX_ROOT_BITS for n, p in whole)


def _bits(whole: int, p: int, q: int) -> int:
    # The steps of SymPy's Integer._eval_power, its trial division up to 2**15 included: whole powers come out (% q),
    # primes whose exponent shares a factor with q get roots of their own, the rest is gathered under one root.
    counts = {prime: count * p % q for prime, count in Integer(whole).factors(limit=2**15).items()}
    counts = {prime: count for prime, count in counts.items() if math.gcd(count, q) == 1}
    shared = math.gcd(*counts.values()) or 1
    return sum(int(prime).bit_length() * count // shared for prime, count in counts.items())
