"""Where calls go, when they are sent again, and which error ends them."""

import json
import re
import socket

import grpc
import pytest

from reward_client.addresses import target_of
from reward_client.api import RewardClientError, RewardRequestError
from reward_client.retries import LONGEST_WAIT_S, refuse, service_config, wait_s


@pytest.mark.parametrize(
    ("addresses", "target"),
    [
        ("127.0.0.1:50051", "ipv4:127.0.0.1:50051"),
        ("rewards.example:50051", "dns:///rewards.example:50051"),
        ("10.0.0.1:1, 10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        (["10.0.0.1:1", "10.0.0.2:2"], "ipv4:10.0.0.1:1,10.0.0.2:2"),
        ("[::1]:50051", "ipv6:[::1]:50051"),
        ("localhost:1,localhost:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
    ],
)
def test_one_target_covers_all_addresses(addresses: str | list[str], target: str) -> None:
    assert target_of(addresses) == target


@pytest.mark.parametrize("addresses", ["", "localhost", "localhost:", ":50051", "a:0", "a:70000", "a:x", []])
def test_an_address_that_is_not_host_and_port_is_refused(addresses: str | list[str]) -> None:
    with pytest.raises(RewardRequestError, match="HOST:PORT"):
        target_of(addresses)


@pytest.mark.parametrize(
    ("found", "target"),
    [
        ({"a": ["10.0.0.1", "10.0.0.2"], "b": ["10.0.0.3"]}, "ipv4:10.0.0.1:1,10.0.0.2:1,10.0.0.3:2"),
        ({"a": ["10.0.0.1", "fd00::1"], "b": ["10.0.0.3"]}, "ipv4:10.0.0.1:1,10.0.0.3:2"),
        ({"a": ["fd00::1"], "b": ["fd00::2"]}, "ipv6:[fd00::1]:1,[fd00::2]:2"),
        ({"a": ["10.0.0.1", "10.0.0.1"], "b": ["10.0.0.1"]}, "ipv4:10.0.0.1:1,10.0.0.1:2"),
    ],
)
def test_several_names_stand_for_all_of_their_addresses(
    found: dict[str, list[str]], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        """Stands for a name server: no name with two addresses can be counted on."""
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in each], None, 0, "", (each, port)) for each in found[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    assert target_of("a:1,b:2") == target


def test_kinds_of_addresses_are_not_mixed() -> None:
    with pytest.raises(RewardRequestError, match="mix IPv4 and IPv6"):
        target_of("127.0.0.1:1,[::1]:2")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, None),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, None),
        (grpc.StatusCode.CANCELLED, None),
        (grpc.StatusCode.INVALID_ARGUMENT, RewardRequestError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, None),
        (grpc.StatusCode.INTERNAL, RewardClientError),
        (grpc.StatusCode.UNIMPLEMENTED, RewardClientError),
        (grpc.StatusCode.UNAUTHENTICATED, RewardClientError),
    ],
)
def test_only_what_may_pass_is_sent_again(
    code: grpc.StatusCode, error: type[RewardClientError] | None
) -> None:
    refusal = refuse(code, "said so")

    assert (None if refusal is None else type(refusal)) is error


def test_waits_grow_are_bounded_and_are_not_all_equal() -> None:
    assert 0.25 <= wait_s(1) <= 0.5
    assert all(LONGEST_WAIT_S / 2 <= wait_s(attempt) <= LONGEST_WAIT_S for attempt in (5, 50, 5_000))
    assert len({wait_s(9) for _ in range(20)}) > 1


def test_the_service_config_balances_and_retries_within_a_budget() -> None:
    config = json.loads(service_config("a.Service"))

    assert config["loadBalancingConfig"] == [{"round_robin": {}}]
    (method,) = config["methodConfig"]
    assert method["name"] == [{"service": "a.Service"}]
    retried = method["retryPolicy"]["retryableStatusCodes"]
    assert retried == ["UNAVAILABLE"], "after a full queue the client paces itself"
    assert 2 <= method["retryPolicy"]["maxAttempts"] <= 5, "gRPC allows no more than 5"
    assert re.fullmatch(r"[\d.]+s", method["retryPolicy"]["initialBackoff"])
    assert config["retryThrottling"]["maxTokens"] > 0
