"""`python -m reward_server rescore`: grades a recording with the graders of today, and says what changed."""
