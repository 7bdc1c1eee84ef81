"""Every field of a code reference survives the way over the wire, on both sides."""

from reward_client import wire as client_wire
from reward_client.api import CodeReference, Sample
from reward_server import wire as server_wire

REFERENCE = CodeReference(
    tests=("assert f(1) == 1",),
    setup="x = 1",
    imports=("import math",),
    entry_point="f",
    hidden_tests=("assert f(2) == 2", "assert f(3) == 3"),
    reference_cpu_ms=1.5,
)
SAMPLE = Sample(sample_id="1", reward="code", prompt="p", completion="c", reference=REFERENCE)


def test_the_server_reads_what_the_client_wrote() -> None:
    received = server_wire.read_sample(client_wire.write_sample(SAMPLE)).reference

    fields = CodeReference.__dataclass_fields__
    assert {name: getattr(received, name) for name in fields} == {
        name: getattr(REFERENCE, name) for name in fields
    }


def test_the_client_reads_back_what_it_wrote() -> None:
    assert client_wire.read_sample(client_wire.write_sample(SAMPLE)) == SAMPLE
