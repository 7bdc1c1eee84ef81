"""A task whose rehearsal fails."""


def rehearse() -> None:
    raise RuntimeError("it was not meant to be")


def told(_: object) -> str:
    return "told"
