"""Tasks of a module that tells what was done to it before."""

_told: list[str] = []


def warm_up() -> None:
    _told.append("warmed up")


def rehearse() -> None:
    _told.append("rehearsed")


def told(_: object) -> list[str]:
    return _told
