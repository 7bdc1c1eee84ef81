"""As whom programs run: a uid of its own for every container of the host.

RLIMIT_NPROC and kill() go by uid across the whole host, so no two containers may share
one. 2**28 numbers far above anyone's accounts make a collision negligible.
"""

import secrets

FIRST_UID, UID_COUNT = 1 << 30, 1 << 28


def random_uid() -> int:
    """Choose the uid of one container's programs."""
    return FIRST_UID + secrets.randbelow(UID_COUNT)
