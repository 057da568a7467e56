"""Causal language models: prompts as tokens, scores, samples, fine-tuning, preferences."""
