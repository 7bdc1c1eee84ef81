"""Curves of a run for programs that draw them: TensorBoard by default, Weights & Biases if asked for."""
