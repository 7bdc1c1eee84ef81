"""Which options cannot work, and which would silently do nothing together.

Pure functions from options to sentences that name the keys, their values and what to
choose instead. An option without effect is refused like a wrong one: somebody who set it
believes that it acts.
"""

from collections.abc import Iterator

from tasks.api import Domain
from trainer.options import ClusterOptions, GrpoOptions, ModelOptions, RewardOptions


def of_model(model: ModelOptions) -> Iterator[str]:
    """Yields what is wrong with lengths and devices."""
    if model.rollout_tp != 1 and not model.rollout_fsdp:
        yield f"model.rollout_tp={model.rollout_tp} does nothing: set model.rollout_fsdp to 1 or more"
    if model.rollout_fsdp and not model.fsdp:
        yield (
            f"model.rollout_fsdp={model.rollout_fsdp} with model.fsdp=0: training would take every device; "
            "say how many it may have"
        )
    devices = (model.fsdp, model.tp, model.rollout_fsdp, model.rollout_tp)
    if model.source == "maxtext" and devices != (1, 1, 0, 1):
        yield (
            "model.source='maxtext' runs on one device here: leave model.fsdp, tp, rollout_fsdp and "
            "rollout_tp as they are, or shard with MaxText's own trainer, which takes this project's rewards "
            "(docs/other-trainers.md)"
        )
    for domain in Domain:
        budget = getattr(model.budgets, domain.value)
        if not 0 <= budget <= model.max_new_tokens:
            yield (
                f"model.budgets.{domain.value}: need 0 to model.max_new_tokens={model.max_new_tokens}, "
                f"got {budget}"
            )


def of_grpo(grpo: GrpoOptions) -> Iterator[str]:
    """Yields what is wrong with the sizes and the algorithm."""
    if grpo.group_size < 2:
        yield f"grpo.group_size: a group needs at least 2 completions, got {grpo.group_size}"
    for name, size in (("micro_prompts", grpo.micro_prompts), ("rollout_prompts", grpo.rollout_prompts)):
        if size < 0 or (size and grpo.prompts % size):
            yield f"grpo.{name}: {size} does not divide grpo.prompts={grpo.prompts}"
    if grpo.temperature <= 0:
        yield f"grpo.temperature: need more than 0 to explore, got {grpo.temperature}"
    if grpo.iterations < 1:
        yield f"grpo.iterations: need at least 1, got {grpo.iterations}"
    yield from _of_clipping(grpo)
    yield from _of_refilling(grpo)


def _of_clipping(grpo: GrpoOptions) -> Iterator[str]:
    low, high = grpo.clip_low, grpo.clip_high
    if not 0 < low < 1 or high < low:
        yield f"grpo.clip_low: need 0 < clip_low < 1 and clip_low <= clip_high, got {low:g} and {high:g}"
    on_policy = grpo.iterations == 1 and not grpo.one_step_off_policy
    without = "with one update on each batch of its own samples the ratio is always 1"
    choose = "set grpo.iterations above 1, or grpo.one_step_off_policy"
    if on_policy and high != low:
        yield f"grpo.clip_high={high:g} does nothing with grpo.iterations=1: {without}; {choose}"
    if on_policy and grpo.ratio == "sequence":
        yield f"grpo.ratio='sequence' does nothing with grpo.iterations=1: {without}; {choose}"


def _of_refilling(grpo: GrpoOptions) -> Iterator[str]:
    call = grpo.rollout_prompts or grpo.prompts
    if grpo.zero_variance == "refill" and (grpo.extra_prompts < call or grpo.extra_prompts % call):
        yield (
            f"grpo.extra_prompts={grpo.extra_prompts} with grpo.zero_variance='refill': need a multiple "
            f"of the {call} prompts of a sampler call; without a budget choose 'mask'"
        )
    if grpo.zero_variance != "refill" and grpo.extra_prompts:
        yield (
            f"grpo.extra_prompts={grpo.extra_prompts} does nothing with "
            f"grpo.zero_variance={grpo.zero_variance!r}: choose 'refill', or 0"
        )
    if grpo.zero_variance == "refill" and grpo.one_step_off_policy:
        yield (
            "grpo.zero_variance='refill' with grpo.one_step_off_policy: which prompts to refill is known "
            "only after the rewards that the other is not to wait for; choose one"
        )


def of_rewards(rewards: RewardOptions, grpo: GrpoOptions) -> Iterator[str]:
    """Yields what is wrong with the failure policy and the scaling of rewards."""
    if not 0 <= rewards.max_failed_share < 1:
        yield f"rewards.max_failed_share: need a share in [0, 1), got {rewards.max_failed_share}"
    if rewards.disco != "off" and grpo.advantage == "std":
        yield (
            f"rewards.disco={rewards.disco!r} does nothing with grpo.advantage='std': dividing by the "
            "group's deviation cancels any factor of the whole group; choose grpo.advantage='mean', or "
            "rewards.disco='off'"
        )
    if grpo.one_step_off_policy and not rewards.overlap:
        yield (
            "grpo.one_step_off_policy with rewards.overlap=False: it only makes room to wait in; "
            "choose --rewards.overlap, or --grpo.no-one-step-off-policy"
        )


def of_cluster(cluster: ClusterOptions, model: ModelOptions) -> Iterator[str]:
    """Yields what is wrong with how several processes are to meet."""
    where, count, number = cluster.coordinator, cluster.processes, cluster.process_id
    named = where not in {"", "auto"}
    if not named and (count or number):
        yield (
            f"cluster.processes={count} and cluster.process_id={number} do nothing with "
            f"cluster.coordinator={where!r}: name HOST:PORT of process 0"
        )
    if named and not where.rpartition(":")[2].isdecimal():
        yield f"cluster.coordinator: need HOST:PORT of process 0, or 'auto', got {where!r}"
    if named and not 0 <= number < count:
        yield (
            f"cluster.process_id: need 0 to cluster.processes-1, got {number} of cluster.processes={count}"
        )
    if cluster.connect_s < 1:
        yield f"cluster.connect_s: need at least 1 s, got {cluster.connect_s}"
    if where and model.rollout_fsdp:
        yield (
            f"model.rollout_fsdp={model.rollout_fsdp} with several processes is not built: the sampling "
            "devices would be those of some processes only; choose 0"
        )
