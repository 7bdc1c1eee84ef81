"""Reward functions in the shapes of other people's trainers; one file a framework, none of them imported.

Each adapter is duck-typed: it imports `reward_client` and the standard library, never the
framework (`openrlhf`, which answers HTTP, needs starlette and uvicorn). What a framework
does with a sample that has no score is in docs/other-trainers.md.
"""
