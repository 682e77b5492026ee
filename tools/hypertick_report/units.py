"""Numbers with their units, in integers and decimals: no rounding but the one that is shown."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Optional, Union

Number = Union[int, Decimal, Fraction]

NONE = "-"


def megahertz(hz: Union[int, Decimal, None]) -> str:
    """A frequency in MHz; one that is too low for its six decimals in Hz."""
    if hz is None:
        return NONE
    return f"{hz} Hz" if 0 < hz < 1000 else f"{Decimal(hz) / 10**6:.6f} MHz"


def error(ppb: Optional[int]) -> str:
    """A signed error in ppm; from 1 % on in percent."""
    if ppb is None:
        return NONE
    unit, scale = ("ppm", 10**3) if abs(ppb) < 10**7 else ("%", 10**7)
    return f"{Decimal(ppb) / scale:{'+' if ppb else ''}.3f} {unit}"


def within(ppb: Optional[int]) -> str:
    """A half-width in ppm."""
    return NONE if ppb is None else f"+-{Decimal(ppb) / 10**3:.3f} ppm"


def change(ppb: Optional[int]) -> str:
    """A signed change in ppb."""
    return NONE if ppb is None else f"{ppb:{'+' if ppb else ''}d} ppb"


def duration(ns: Optional[int]) -> str:
    """A duration in the unit that suits its size."""
    if ns is None:
        return NONE
    for unit, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if abs(ns) >= scale:
            return f"{Decimal(ns) / scale:.3f} {unit}"
    return f"{ns} ns"


def half_width_ppb(low: Number, high: Number, estimate: Number) -> Optional[int]:
    """How far the truth can be from the estimate, rounded up: it is a proven bound."""
    if not estimate:
        return None
    distance = max(Fraction(high) - Fraction(estimate), Fraction(estimate) - Fraction(low))
    return ceil(distance * 10**9 / Fraction(estimate))


def change_ppb(before: Number, after: Number) -> Optional[int]:
    """By how much a rate changed, rounded to the nearest ppb."""
    if not before:
        return None
    return round((Fraction(after) - Fraction(before)) * 10**9 / Fraction(before))


def printable(text: object) -> str:
    """Text from outside, fit for a terminal and for XML: what cannot be printed becomes a dot."""
    return "".join(char if char.isprintable() else "." for char in str(text))
