"""The flags of the service on Ray; nothing here imports ray."""

import pytest

from reward_server.errors import ConfigurationError
from reward_server.ray_serve.config import RayConfig, Scale, read


def test_a_plaintext_ingress_has_to_be_agreed_to() -> None:
    with pytest.raises(ConfigurationError, match="say --insecure"):
        read([])


def test_it_fits_on_a_machine_of_two_cpus_unless_told_otherwise() -> None:
    config = read(["--insecure"])

    assert config.slots * config.programs.fewest + config.server.queues.workers * config.rewards.fewest <= 2


def test_the_server_in_a_replica_listens_on_loopback_and_counts_all_sandboxes() -> None:
    config = read(["--insecure", "--slots", "2", "--programs.most", "8", "--server.listen", "0.0.0.0:50051"])

    assert config.replica().listen == "127.0.0.1:0"
    assert config.replica().queues.programs == 2 * 2 * 8


@pytest.mark.parametrize(("fewest", "most"), [(0, 1), (3, 2), (-1, -1)])
def test_an_impossible_scale_is_refused(fewest: int, most: int) -> None:
    with pytest.raises(ConfigurationError, match="1 <= fewest <= most"):
        Scale(fewest=fewest, most=most)


def test_a_sandbox_without_slots_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="slots=0"):
        RayConfig(slots=0)


@pytest.mark.parametrize("patience_s", [0.0, -1.0, float("nan")])
def test_a_program_has_to_be_waited_for(patience_s: float) -> None:
    with pytest.raises(ConfigurationError, match="patience_s="):
        RayConfig(patience_s=patience_s)
