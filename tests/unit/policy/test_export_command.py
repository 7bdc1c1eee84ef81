"""`python -m trainer.export` on a finished run: what it writes, and what it says otherwise."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from policy.checkpoint import PolicyRecord
from policy.errors import PolicyError
from policy.gemma import Gemma3, load_pretrained, save_pretrained
from policy.lora import LoraShape, apply_lora, read_adapters, save_lora
from policy.tokenizer import load_tokenizer
from trainer.export import ExportConfig, export

RECORD = PolicyRecord(
    base="base", dtype="float32", system="s", prompt_hash="h", max_prompt_tokens=32, max_new_tokens=8
)


@pytest.fixture
def run(base: Gemma3, tokenizer_dir: Path, mesh: jax.sharding.Mesh, tmp_path: Path) -> Path:
    """What `python -m trainer` leaves of the policy."""
    save_pretrained(base, tmp_path / "base")
    for file in tokenizer_dir.iterdir():
        (tmp_path / "base" / file.name).write_bytes(file.read_bytes())
    shape = LoraShape(rank=2, alpha=4.0)
    save_lora(apply_lora(base, shape, seed=0, mesh=mesh), shape, tmp_path / "lora", base="../base")
    RECORD.write(tmp_path)
    return tmp_path


def test_a_run_is_exported_whole_in_both_forms(run: Path, mesh: jax.sharding.Mesh) -> None:
    out = export(ExportConfig(run=run))

    assert out == run / "export"
    merged = safetensors.numpy.load_file(out / "merged" / "model.safetensors")
    values = json.loads((out / "merged" / "config.json").read_text())
    assert {array.dtype for array in merged.values()} == {np.dtype(jnp.bfloat16)}
    assert (values["dtype"], values["architectures"]) == ("bfloat16", ["Gemma3ForCausalLM"])
    assert load_tokenizer(out / "merged").stop_ids == load_tokenizer(run / "base").stop_ids
    assert load_pretrained(out / "merged", dtype=jnp.float32, mesh=mesh).config.num_layers == 2
    adapters = json.loads((out / "lora" / "adapter_config.json").read_text())
    assert adapters["base_model_name_or_path"] == str((run / "base").resolve())
    assert read_adapters(out / "lora").shape == LoraShape(rank=2, alpha=4.0)


def test_exporting_again_in_fewer_files_leaves_none_of_the_old_ones(run: Path) -> None:
    export(ExportConfig(run=run, shard_gb=2e-5))
    assert len(list((run / "export" / "merged").glob("model*"))) > 2

    export(ExportConfig(run=run))
    assert [file.name for file in (run / "export" / "merged").glob("model*")] == ["model.safetensors"]


def test_the_name_of_a_base_of_the_hub_is_kept(run: Path) -> None:
    replace(RECORD, base=str(run / "base")).write(run)
    save_as = run / "lora" / "adapter_config.json"
    values = json.loads(save_as.read_text()) | {"base_model_name_or_path": "google/gemma-3-1b-it"}
    save_as.write_text(json.dumps(values))

    exported = json.loads((export(ExportConfig(run=run)) / "lora" / "adapter_config.json").read_text())
    assert exported["base_model_name_or_path"] == "google/gemma-3-1b-it"


def test_a_run_that_has_not_finished_is_named_as_such(run: Path) -> None:
    (run / "lora" / "adapter_model.safetensors").unlink()

    with pytest.raises(PolicyError, match="has the run finished"):
        export(ExportConfig(run=run))
