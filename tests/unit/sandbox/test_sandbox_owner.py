"""Whose containers may be removed: those of processes that are certainly dead."""

import dataclasses
import subprocess
import sys

from sandbox.owner import Owner


def test_a_living_process_is_not_dead():
    owner = Owner.this_process()

    assert not owner.knows_dead(owner.label())


def test_a_process_that_ended_is_dead():
    script = "from sandbox.owner import Owner; print(Owner.this_process().label())"
    label = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.strip()

    assert Owner.this_process().knows_dead(label)


def test_another_process_with_the_same_pid_is_not_the_owner():
    owner = Owner.this_process()
    earlier = dataclasses.replace(owner, start_time=owner.start_time - 1)

    assert owner.knows_dead(earlier.label())


def test_nothing_is_known_of_other_machines_and_other_namespaces():
    owner = Owner.this_process()
    ended = dataclasses.replace(owner, start_time=owner.start_time - 1)

    assert not owner.knows_dead(dataclasses.replace(ended, boot_id="another").label())
    assert not owner.knows_dead(dataclasses.replace(ended, pid_namespace="pid:[1]").label())
    assert not owner.knows_dead("a label of another version")
