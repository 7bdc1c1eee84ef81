"""A page over the completions of a training run, live or finished. `app` is the way in."""
