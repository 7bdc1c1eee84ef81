"""What a step learns from: prompts drawn, completions sampled, sent to be graded, and grouped."""
