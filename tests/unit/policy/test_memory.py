"""Memory figures: exact on one device, divided on eight."""

from policy.memory import MemoryConfig, device_bytes


def test_one_device_holds_every_parameter_and_eight_hold_an_eighth_and_what_is_not_divided() -> None:
    one = device_bytes(MemoryConfig(fsdp=1, tp=1))
    eight = device_bytes(MemoryConfig(fsdp=2, tp=4))

    assert one.base == 2 * 999_885_952
    assert (one.adapters, one.moments) == (4 * 12_566_528, 2 * 4 * 12_566_528)
    assert one.logits == 4 * 1024 * 262_144 * 4 == 8 * eight.logits
    assert one.base / 8 < eight.base < 1.06 * one.base / 8
