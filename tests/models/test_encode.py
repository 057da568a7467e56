"""Questions to tokens."""

from steelyard.models.encode import encode
from steelyard.models.load import Pretrained, load_tokenizer
from steelyard.types import PairQuestion, Question


def test_long_texts_are_cut_and_counted_and_keep_their_end_token(tiny_bert: str) -> None:
    tokenizer = load_tokenizer(Pretrained(model=tiny_bert))
    questions = [Question("a", "good film"), Question("b", "very " * 40)]
    encoded = encode(tokenizer, questions, max_tokens=8)
    assert encoded.lengths.tolist() == [4, 8]
    assert encoded.truncated == 1
    assert encoded.tokens[-1] == tokenizer.sep_token_id


def test_control_tokens_in_the_data_are_plain_text(tiny_bert: str) -> None:
    tokenizer = load_tokenizer(Pretrained(model=tiny_bert))
    encoded = encode(tokenizer, [Question("a", "good [SEP] [CLS] film")], max_tokens=32)
    control = [tokenizer.sep_token_id, tokenizer.cls_token_id]
    assert [t for t in encoded.tokens if t in control] == control[::-1]  # its own, once each


def test_each_option_is_paired_with_its_question(tiny_bert: str) -> None:
    tokenizer = load_tokenizer(Pretrained(model=tiny_bert))
    question = Question("q", "the film is", ("good", "very bad"), context="a plot")
    encoded = encode(tokenizer, [question, question], max_tokens=32)
    assert encoded.rows.tolist() == [0, 2, 4]
    ids = tokenizer.convert_ids_to_tokens(encoded.tokens[: encoded.lengths[0]].tolist())
    assert ids == ["[CLS]", "a", "plot", "the", "film", "is", "[SEP]", "good", "[SEP]"]
    assert encoded.types is not None
    assert encoded.types[: encoded.lengths[0]].tolist() == [0] * 7 + [1] * 2


def test_models_without_pairs_read_the_option_on_the_next_line(tiny_llama: str) -> None:
    tokenizer = load_tokenizer(Pretrained(model=tiny_llama))
    encoded = encode(tokenizer, [Question("q", "the film is", ("good", "bad"))], max_tokens=32)
    assert tokenizer.convert_ids_to_tokens(encoded.tokens[:4].tolist()) == [
        "the",
        "film",
        "is",
        "good",
    ]


def test_two_texts_have_the_separator_of_the_tokenizer(tiny_bert: str, tiny_llama: str) -> None:
    question = PairQuestion("q", "the film\nvery good", (), "a plot", second=9)
    tokenizer = load_tokenizer(Pretrained(model=tiny_bert))
    encoded = encode(tokenizer, [question], max_tokens=32)
    tokens = tokenizer.convert_ids_to_tokens(encoded.tokens.tolist())
    assert tokens == ["[CLS]", "a", "plot", "the", "film", "[SEP]", "very", "good", "[SEP]"]
    assert encoded.types is not None
    assert encoded.types.tolist() == [0] * 6 + [1] * 3
    cut = PairQuestion("q", "the film\n" + "very " * 40, second=9)
    short = encode(tokenizer, [cut], max_tokens=8)  # the longer text is truncated, both are there
    tokens = tokenizer.convert_ids_to_tokens(short.tokens.tolist())
    assert tokens == ["[CLS]", "the", "film", "[SEP]", "very", "very", "very", "[SEP]"]
    assert short.truncated == 1
    without = load_tokenizer(Pretrained(model=tiny_llama))
    joined = encode(without, [question], max_tokens=32).tokens.tolist()
    plain = encode(without, [Question("q", question.text, (), "a plot")], max_tokens=32)
    assert joined == plain.tokens.tolist()


def test_a_missing_padding_token_is_the_end_token(tiny_llama: str) -> None:
    assert load_tokenizer(Pretrained(model=tiny_llama)).pad_token == "good"


def test_a_text_of_a_million_characters_is_cut_quickly(tiny_bert: str) -> None:
    tokenizer = load_tokenizer(Pretrained(model=tiny_bert))
    encoded = encode(tokenizer, [Question("a", "good " * 200_000)], max_tokens=16)
    assert encoded.lengths.tolist() == [16]
    assert encoded.truncated == 1
