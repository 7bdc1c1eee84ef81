"""Configuration: one definition per knob, and errors that name the key."""

from pathlib import Path

import pytest
import yaml

from tasks.api import Domain
from trainer.config import ConfigurationError, parse, to_yaml


def test_without_arguments_the_tiny_configuration_is_read() -> None:
    assert parse([]).name == "tiny"


@pytest.mark.parametrize("name", ["tiny", "gemma3_1b"])
def test_a_shipped_configuration_starts_with_its_command(name: str) -> None:
    path = Path("trainer/configs") / f"{name}.yaml"

    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any(f"python -m trainer --config {name}" in line for line in header)
    assert all(any(word in line for line in header) for word in ("hardware", "time", "expect"))


def test_the_gemma_configuration_is_the_recipe() -> None:
    config = parse(["--config", "gemma3_1b"])

    assert (config.model.pretrained, config.data.source, config.data.samples) == (
        "google/gemma-3-1b-it",
        "hub",
        30_000,
    )
    assert (config.model.lora_rank, config.model.lora_alpha, config.grpo.group_size) == (16, 32, 4)
    assert (config.grpo.beta, config.grpo.learning_rate, config.grpo.temperature) == (0.04, 3e-6, 1.0)
    assert (config.grpo.advantage, config.grpo.kl, config.grpo.iterations) == ("std", "k3", 1)
    assert config.steps * config.grpo.prompts == config.data.samples


def test_the_command_line_overrides_the_file() -> None:
    config = parse(["--steps", "7", "--config", "tiny", "--grpo.beta", "0.1"])

    assert (config.name, config.steps, config.grpo.beta) == ("tiny", 7, 0.1)


def test_a_configuration_written_down_reads_back_the_same(tmp_path: Path) -> None:
    config = parse(["--config", "gemma3_1b", "--seed", "3", "--data-dir", str(tmp_path)])
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))

    assert parse(["--config", str(path)]) == config


@pytest.mark.parametrize(
    ("content", "suggestion"),
    [
        ({"grpo": {"betta": 0.1}}, "beta"),
        ({"setps": 3}, "steps"),
        ({"warm-start": {"p-corect": 1}}, "p-correct"),
    ],
)
def test_an_unknown_key_of_a_file_is_an_error_that_suggests_the_nearest(
    content: dict, suggestion: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))

    with pytest.raises(SystemExit) as stop:
        parse(["--config", str(path)])

    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert suggestion in said
    assert str(path) in said


@pytest.mark.parametrize("content", [b"a: [1\nb: }", b"\xff\xfe"], ids=["no YAML", "no text"])
def test_a_file_that_cannot_be_read_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"mine\.yaml' is no YAML"):
        parse(["--config", str(path)])


def test_an_unknown_configuration_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"gemma3_1b.*tiny"):
        parse(["--config", "tinny"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grpo.group-size", "1"], "grpo.group_size"),
        (["--grpo.prompts", "6", "--grpo.micro-prompts", "4"], "grpo.micro_prompts: 4"),
        (["--grpo.temperature", "0"], "grpo.temperature"),
        (["--rewards.max-failed-share", "1"], "rewards.max_failed_share"),
        (["--warm-start.steps", "0"], "warm_start.steps"),
        (["--steps", "0"], "steps: need at least 1"),
        (["--grpo.rollout-prompts", "5"], "grpo.rollout_prompts: 5 does not divide"),
        (["--grpo.iterations", "0"], "grpo.iterations: need at least 1"),
        (["--grpo.clip-low", "0.3"], "grpo.clip_low: need 0 < clip_low < 1 and clip_low <= clip_high"),
        (["--model.rollout-tp", "2"], "model.rollout_tp=2 does nothing: set model.rollout_fsdp"),
        (["--model.rollout-fsdp", "2", "--model.fsdp", "0"], "model.rollout_fsdp=2 with model.fsdp=0"),
        (["--model.budgets.math", "65"], r"model.budgets.math: need 0 to model.max_new_tokens=64, got 65"),
        (
            ["--grpo.zero-variance", "refill", "--grpo.extra-prompts", "24"],
            "grpo.extra_prompts=24 .*need a multiple of the 16",
        ),
        (["--grpo.zero-variance", "refill"], "grpo.extra_prompts=0 .*without a budget choose 'mask'"),
        (["--cluster.processes", "2"], "cluster.processes=2 .* do nothing with cluster.coordinator=''"),
        (["--cluster.coordinator", "auto", "--cluster.process-id", "1"], "cluster.process_id=1 do nothing"),
        (["--cluster.coordinator", "here"], "cluster.coordinator: need HOST:PORT .* or 'auto', got 'here'"),
        (["--cluster.coordinator", "a:1"], "cluster.process_id: need 0 to .*, got 0 of cluster.processes=0"),
        (
            ["--cluster.coordinator", "a:1", "--cluster.processes", "2", "--cluster.process-id", "2"],
            "cluster.process_id: need 0 to cluster.processes-1, got 2 of cluster.processes=2",
        ),
        (["--cluster.connect-s", "0"], "cluster.connect_s: need at least 1 s"),
        (
            ["--cluster.coordinator", "auto", "--model.rollout-fsdp", "1"],
            "model.rollout_fsdp=1 with several processes is not built",
        ),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(arguments)


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["--rewards.disco", "domain"], ["rewards.disco='domain'", "grpo.advantage='std'", "choose"]),
        (
            ["--grpo.clip-high", "0.28"],
            ["grpo.clip_high=0.28", "grpo.iterations=1", "grpo.one_step_off_policy"],
        ),
        (["--grpo.ratio", "sequence"], ["grpo.ratio='sequence'", "grpo.iterations=1"]),
        (["--grpo.extra-prompts", "16"], ["grpo.extra_prompts=16", "grpo.zero_variance='keep'", "refill"]),
        (
            ["--grpo.one-step-off-policy", "--rewards.no-overlap"],
            ["grpo.one_step_off_policy", "rewards.overlap=False"],
        ),
        (
            ["--grpo.one-step-off-policy", "--grpo.zero-variance", "refill", "--grpo.extra-prompts", "16"],
            ["grpo.zero_variance='refill'", "grpo.one_step_off_policy"],
        ),
    ],
)
def test_options_that_do_nothing_together_are_refused_by_both_names(
    arguments: list[str], keys: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(arguments)

    assert "does nothing" in str(refused.value) or "choose" in str(refused.value)
    assert all(key in str(refused.value) for key in keys)


@pytest.mark.parametrize(
    "arguments",
    [
        "--rewards.disco both --grpo.advantage mean",
        "--grpo.clip-high 0.28 --grpo.iterations 2",
        "--grpo.ratio sequence --grpo.one-step-off-policy",
        "--grpo.zero-variance refill --grpo.extra-prompts 32",
    ],
)
def test_options_that_act_together_are_accepted(arguments: str) -> None:
    assert parse(arguments.split()).name == "tiny"


def test_a_switch_inside_a_section_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        yaml.safe_dump(
            {"grpo": {"mask_truncated": True}, "rewards": {"overlap": False}, "warm_start": {"steps": 1}}
        )
    )
    config = parse(["--config", str(path)])

    assert (config.grpo.mask_truncated, config.rewards.overlap) == (True, False)


def test_a_domain_without_a_budget_of_its_own_has_the_general_one() -> None:
    model = parse(["--model.budgets.math", "20"]).model

    assert {domain.value: model.budget(domain) for domain in (Domain.MATH, Domain.CODE)} == {
        "math": 20,
        "code": 64,
    }


def test_every_knob_has_a_sentence() -> None:
    import ast
    import inspect

    import trainer.config
    import trainer.options

    modules = (trainer.config, trainer.options)
    for node in (node for module in modules for node in ast.parse(inspect.getsource(module)).body):
        if not isinstance(node, ast.ClassDef) or not node.name.endswith(
            ("Options", "TrainConfig", "Budgets")
        ):
            continue
        for knob, following in zip(node.body, [*node.body[1:], None], strict=True):
            nested = isinstance(knob, ast.AnnAssign) and isinstance(knob.value, ast.Call)
            if isinstance(knob, ast.AnnAssign) and not nested:
                assert isinstance(following, ast.Expr), (
                    f"{node.name}.{ast.unparse(knob.target)} has no sentence"
                )
