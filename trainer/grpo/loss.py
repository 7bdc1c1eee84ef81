"""From our options to the loss that Tunix computes: GRPO, Dr. GRPO, DAPO's clip, GSPO.

With r_t = pi(o_t) / pi_old(o_t) for the tokens o_t of a completion of advantage A, the
loss of a token is

    -min(r_t A, clip(r_t, 1 - clip_low, 1 + clip_high) A) + beta KL_t

    GRPO       clip_low = clip_high                             (arXiv 2402.03300)
    DAPO       clip_high > clip_low, and a mean over all tokens (arXiv 2503.14476)
    Dr. GRPO   no deviation in A, and a constant length         (arXiv 2503.20783)
    GSPO       r = exp(mean_t log r_t) for every token          (arXiv 2507.18071)

    k3: KL_t = exp(d_t) - d_t - 1,  k2: KL_t = d_t^2 / 2,  d_t = log pi_ref(o_t) - log pi(o_t)

k1 = -d_t is not offered: its gradient is zero in expectation, so it adds noise and pulls
nowhere. Means are over completions that have tokens in the loss:

    sequence   mean over completions of the mean over their tokens
    token      mean over all tokens
    constant   mean over completions of the sum over their tokens / max_new_tokens

and each forward and backward pass (`grpo.micro_prompts`) takes them over its own rows.
"""

from tunix.rl.grpo import grpo_learner

from trainer.options import GrpoOptions

_MEANS = {
    "sequence": "sequence-mean-token-mean",
    "token": "token-mean",
    "constant": "sequence-mean-token-scale",
}
_RATIOS = {"token": "grpo", "sequence": "gspo-token"}
_KL = {"k2": "mse_kl", "k3": "low_var_kl"}


def tunix_config(options: GrpoOptions) -> grpo_learner.GRPOConfig:
    """Returns Tunix's configuration of the loss.

    Advantages are not Tunix's: its estimators see floats only, and count a missing one as 0.
    """
    config = grpo_learner.GRPOConfig(
        num_generations=options.group_size,
        num_iterations=options.iterations,
        beta=options.beta,
        kl_loss_mode=_KL[options.kl],
        epsilon=options.clip_low,
        loss_algo=_RATIOS[options.ratio],
        loss_agg_mode=_MEANS[options.loss_mean],
    )
    # Read by the loss where it is there; no field of Tunix 0.1.7's configuration.
    config.epsilon_high = options.clip_high  # pyright: ignore[reportAttributeAccessIssue]
    return config
