"""What a frozen model makes of a text depends on that text alone, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.models.encode import Encoded, encode
from steelyard.models.features import read_features
from steelyard.models.frozen import Rows, Trunk, mean_states
from steelyard.models.load import Pretrained, load_classifier, load_tokenizer
from steelyard.models.precision import Precision
from steelyard.types import Question
from tiny_models import WORDS


def texts(count: int) -> list[Question]:
    rng = np.random.default_rng(0)
    return [
        Question(str(i), " ".join(rng.choice(WORDS, size=rng.integers(1, 60))))
        for i in range(count)
    ]


def of(rows: np.ndarray, encoded: Encoded, i: int) -> np.ndarray:
    return rows[encoded.starts[i] : encoded.starts[i + 1]]


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("family", ["tiny_bert", "tiny_llama"])
def test_company_changes_no_bit(
    family: str, precision: Precision, request: pytest.FixtureRequest
) -> None:
    settings = Pretrained(model=request.getfixturevalue(family))
    tokenizer, model = load_tokenizer(settings), load_classifier(settings, 2, 0.0, 0)
    trunk, asked = Trunk.freeze(model, 1), texts(150)
    whole = encode(tokenizer, asked, 64)
    states, means = trunk.states(whole, precision), mean_states(model, whole, precision)
    for seed, size in ((1, 1), (2, 7), (3, 90)):
        rows = np.random.default_rng(seed).permutation(len(asked))[:size]
        part = encode(tokenizer, [asked[i] for i in rows], 64)
        own = trunk.states(part, precision)
        for n, i in enumerate(rows):
            assert np.array_equal(of(own, part, n), of(states, whole, i))
        assert np.array_equal(mean_states(model, part, precision), means[rows])


def test_a_text_as_long_as_the_model_reads_is_not_padded_beyond(tiny_bert: str) -> None:
    settings = Pretrained(model=tiny_bert)
    model = load_classifier(settings, 2, 0.0, 0)
    model.config.max_position_embeddings = 61  # 61 tokens would be padded to 64
    encoded = encode(load_tokenizer(settings), [Question("a", "film " * 80)], 61)
    assert encoded.lengths.tolist() == [61]
    assert mean_states(model, encoded, "fp32").shape == (1, 16)


def test_features_are_means_of_one_length(tiny_bert: str) -> None:
    found = read_features(Pretrained(model=tiny_bert), texts(5), 64, precision="fp32")
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 4, rtol=1e-6)  # sqrt(16)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1), st.data())
def test_rows_of_several_arrays_are_one_array(
    places: list[tuple[int, int]], data: st.DataObject
) -> None:
    arrays = [np.arange(8.0).reshape(4, 2) + 100 * n for n in range(3)]
    array, row = np.array(places).T
    rows = Rows(arrays, array, row)
    plain = np.array([arrays[n][i] for n, i in places])
    wanted = np.array(data.draw(st.lists(st.integers(0, len(places) - 1))), dtype=np.int64)
    assert rows.shape == plain.shape
    assert np.array_equal(np.asarray(rows), plain)
    assert np.array_equal(rows[wanted], plain[wanted])
