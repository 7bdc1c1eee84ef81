"""Scales: from a measured number to [0, 1]."""


def ramp(value: float, *, zero: float, one: float) -> float:
    """Return the linear scale that is 0 at `zero` and 1 at `one`, clipped; either may be the larger."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))


def band(value: float, *, full_from: float, full_to: float, zero_at: float) -> float:
    """Return the trapezoid 0 at 0, 1 from `full_from` to `full_to`, 0 again at `zero_at`."""
    return min(ramp(value, zero=0.0, one=full_from), ramp(value, zero=zero_at, one=full_to))
