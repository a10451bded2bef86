"""The classifier of a question bank, beside scikit-learn's regression as another implementation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import compress
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from corpus.article import Article
from corpus.language import core, search_key
from corpus.segment import JiebaTokenizer
from index.classifier import GAP, Classifier, Classifiers, _weighed, grams
from index.encoder import Encoder, FloatArray, load_encoder
from index.lexical import term_hash
from index.retriever import LocalRetriever, Taught
from index.segment import classifier_of, load_arrays, save_arrays
from index.store import Index, manifest_inputs, open_index
from tests.tiny import TinyEncoder

BANK = {
    "how heavy were the mice": (1,),
    "how heavy was each mouse": (1,),
    "what did a mouse weigh": (1,),
    "weight of the mice": (1,),
    "小鼠有多重": (1,),
    "小鼠的体重": (1,),
    "小鼠重多少": (1,),
    "which drug were the mice given": (2,),
    "what drug did a mouse get": (2,),
    "name of the drug": (2,),
    "用了哪种药物": (2,),
    "药物叫什么": (2,),
    "药物的名字": (2,),
    "what does the drug cost": (),
    "price of the drug": (),
    "how much does it cost": (),
    "药物多少钱": (),
    "药物贵吗要多少钱": (),
    "一针多少钱": (),
}


@cache
def encoder() -> Encoder:
    return load_encoder()


def fitted(bank: Mapping[str, Sequence[int]], times: int = 1) -> Classifier:
    return Classifier.fit(list(bank) * times, encoder().encode_queries(list(bank) * times), list(bank.values()) * times)


def asked(classifier: Classifier, question: str) -> FloatArray:
    return classifier.probabilities(question, encoder().encode_queries([question])[0])


@pytest.fixture(scope="module")
def small() -> Classifier:
    return fitted(BANK)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("weight of one mouse", 1),
        ("小鼠体重多少", 1),
        ("drug that the mice got", 2),
        ("药物叫啥", 2),
        ("what is the cost", GAP),
        ("多少钱", GAP),
    ],
)
def test_new_wording_is_told_by_what_the_bank_has_in_common(small: Classifier, question: str, wanted: int) -> None:
    probabilities = asked(small, question)
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert small.classes[int(probabilities.argmax())] == wanted


def test_question_that_needs_two_sentences_is_divided_between_them() -> None:
    bank = {"both groups": (3, 5), "the groups": (3, 5), "groups of mice": (3, 5), "colour": (4,), "colours": (4,)}
    held = fitted(bank, 30)
    likely = dict(zip(held.classes.tolist(), asked(held, "both groups").tolist(), strict=True))
    assert likely[3] == pytest.approx(likely[5], abs=0.05)
    assert likely[3] > 0.35


def test_question_without_a_known_word_gets_what_the_network_says(small: Classifier) -> None:
    vector = encoder().encode_queries(["mice"])[0]
    hidden = np.maximum(vector @ small.inner + small.shift, 0)
    raised = np.exp(hidden @ small.outer.T + small.bias)
    assert small.probabilities("zzz", vector) == pytest.approx(raised / raised.sum(), abs=1e-5)


def test_vector_alone_tells_what_the_words_do_not() -> None:
    """As for a question in words that the bank never used, whose vector is near that of one that it has."""
    held = fitted(BANK, 20)
    for question, answer in BANK.items():
        probabilities = held.probabilities("zzz", encoder().encode_queries([question])[0])
        assert held.classes[int(probabilities.argmax())] == (answer or (GAP,))[0]


def test_unknown_words_count_nothing_wherever_their_hashes_fall(small: Classifier) -> None:
    known = small.features[len(small.features) // 2]
    for beside in (known - np.uint64(1), known + np.uint64(1), np.uint64(0), np.uint64(2**64 - 1)):
        hashes = np.array(sorted({int(beside), int(known)}), dtype=np.uint64)
        places, shares = _weighed(small.features, small.rarity, hashes)
        assert small.features[places].tolist() == [int(known)]
        assert shares.tolist() == [1]


def test_same_bank_gives_the_same_classifier(small: Classifier) -> None:
    again = fitted(BANK)
    assert np.array_equal(again.weights, small.weights)
    assert np.array_equal(again.inner, small.inner)


def test_classifiers_of_a_segment_are_found_again_in_their_files(small: Classifier, tmp_path: Path) -> None:
    other = fitted({"one two three": (7,)}, 3)
    save_arrays(tmp_path, "classifier", Classifiers.join([None, small, None, other]))
    found = load_arrays(tmp_path, "classifier", Classifiers)
    for number, wanted in enumerate([None, small, None, other]):
        held = found.of(number)
        if wanted is None or held is None:
            assert held is wanted
        else:
            assert asked(held, "weight of the mice") == pytest.approx(asked(wanted, "weight of the mice"))
    left = Classifiers.join(found.only([True, False, True, True]))
    assert [left.of(number) is None for number in range(3)] == [True, True, False]
    held = left.of(2)
    assert held is not None
    assert asked(held, "one two three") == pytest.approx(asked(other, "one two three"))


def test_classifier_of_a_merged_index_is_that_of_the_article(
    lighthouse: Article, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lighthouse's bank is tiny: here it is enough."""
    monkeypatch.setattr("index.segment.ENOUGH", 1)
    monkeypatch.setattr("index.segment.ENOUGH_GAPS", 0)
    tiny, tokenizer = TinyEncoder(), JiebaTokenizer()
    others = [
        replace(lighthouse, id=name, title=name, questions=lighthouse.questions[:count])
        for name, count in (("first", 2), ("second", 3))
    ]
    for held in ((others[0], lighthouse), (others[0], lighthouse, others[1]), (lighthouse, others[1])):
        index = open_index(tmp_path, held, tiny, tokenizer, manifest_inputs(held, tiny, ()))
    for article in (lighthouse, others[1]):
        place = index.place(article.id)
        keys = [core(search_key(q.text)) for q in article.known]
        vectors = tiny.encode_queries(keys)
        found, wanted = place.segment.classifiers.of(place.member), classifier_of(article, keys, vectors)
        assert found is not None
        assert wanted is not None
        assert found.classes.tolist() == wanted.classes.tolist()
        for key, vector in zip(keys, vectors, strict=True):
            assert found.probabilities(key, vector) == pytest.approx(wanted.probabilities(key, vector), abs=1e-4)


def test_what_is_taught_is_told_by_sentence_with_and_without_what_was_asked_before(
    small: Classifier, article: Article
) -> None:
    tokenizer = JiebaTokenizer()
    retriever = LocalRetriever(
        Index.build([replace(article, questions=())], [], encoder(), tokenizer), encoder(), tokenizer
    )
    before, own = retriever.prepare("weight of the mice"), retriever.prepare("price of the drug")
    follow_up = own.after(before, 0.6)
    taught = Taught.of(small, follow_up, article.sentences[:5])
    alone, both = asked(small, own.key), small.probabilities(f"{own.key} {before.key}", follow_up.vector)
    assert taught.alone == pytest.approx([alone[1], alone[2], 0, 0, 0])
    assert taught.sentences == pytest.approx([both[1], both[2], 0, 0, 0])
    assert (taught.gap, taught.gap_alone) == pytest.approx((both[0], alone[0]))
    nothing = Taught.of(None, own, article.sentences[:5])
    assert (nothing.sentences.any(), nothing.alone.any(), nothing.gap) == (False, False, 0)


def test_as_good_as_a_regression_fitted_to_the_end(article: Article) -> None:
    rows = [q for q in article.questions if len(q.sentences) == 1 and q.sentences[0] % 5 == 0]
    keys, labels = [core(search_key(q.text)) for q in rows], [q.sentences[0] for q in rows]
    learnt = np.arange(len(rows)) % 2 == 0
    held = fitted({key: (label,) for key, label in compress(zip(keys, labels, strict=True), learnt)})

    def found(key: str) -> int:
        return int(held.classes[int(asked(held, key).argmax())])

    matrix = np.zeros((len(keys), len(held.features)), dtype=np.float32)
    numbers = {feature: place for place, feature in enumerate(held.features.tolist())}
    for row, key in zip(matrix, keys, strict=True):
        places = [numbers[term_hash(gram)] for gram in set(grams(key)) if term_hash(gram) in numbers]
        row[places] = held.rarity[places] / max(float(np.linalg.norm(held.rarity[places])), 1e-9)
    regression = LogisticRegression(C=30, max_iter=300).fit(matrix[learnt], np.array(labels)[learnt])
    truth = np.array(labels)[~learnt]
    ours = np.mean(np.array([found(key) for key in compress(keys, ~learnt)]) == truth)
    theirs = np.mean(regression.predict(matrix[~learnt]) == truth)
    assert theirs > 0.7
    assert ours >= theirs - 0.02
