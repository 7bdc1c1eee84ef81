"""The `code` reward: runs the answer's Python in the sandbox and judges its results outside.

    extract     answer text -> source, by scanning alone
    assertions  a trusted test -> the call to evaluate and the value expected of it
    suites      reference -> all its tests, parsed in steps and remembered
    compare     decoded value, expected value -> where they differ
    judge       run, tests -> grade
    budget      CPU time of the reference -> limits of a program
    reward      these put together around one `Sandbox.run`
    canary      the packaged red team that a sandbox has to withstand before it may grade
    hidden      a command: makes held-out tests, offline, through the same sandbox

Only calls enter the sandbox and only plain data comes out, so nothing that runs there
can learn an expected value or pronounce a verdict.
"""

from reward_server.rewards.code.reward import CodeReward

__all__ = ["CodeReward"]
