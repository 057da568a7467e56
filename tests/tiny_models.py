"""Tiny real models, built in code: a BERT, a Llama whose padding token is a real one, a GPT-2."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

WORDS = ["good", "bad", "fine", "awful", "film", "plot", "a", "the", "is", "was", "very", "not"]


def tokenizer(pairs: bool) -> PreTrainedTokenizerFast:
    """Words and five special tokens; [CLS] a [SEP] b [SEP] where the model has pairs."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: i for i, word in enumerate([*specials, *WORDS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    if pairs:
        inner.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    if pairs:
        names["pad_token"] = "[PAD]"
    else:
        names["eos_token"] = "good"  # an end token that is a real word, and no padding token
    inputs = ["input_ids", "token_type_ids", "attention_mask"] if pairs else ["input_ids"]
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, model_max_length=64, model_input_names=inputs, **names
    )


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    return save(BertForSequenceClassification(config), folder, pairs=True)


def llama_config(layers: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    return save(LlamaForSequenceClassification(llama_config(layers=3)), folder, pairs=False)


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("gpt2")
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=32, n_embd=16, n_layer=3, n_head=2, n_positions=64)
    return save(GPT2ForSequenceClassification(config), folder, pairs=False)


def save(model: torch.nn.Module, folder: Path, pairs: bool) -> str:
    model.save_pretrained(folder)
    tokenizer(pairs).save_pretrained(folder)
    return str(folder)
