"""The language model: Gemma 3, its tokenizer, LoRA, sampling, checkpoints."""
