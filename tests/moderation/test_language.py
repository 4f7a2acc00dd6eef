"""Which language a text is read in: nothing English passes as foreign, and what nobody reads is said to be so."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.language import Gate, Reading
from moderation.normalise import classifier_copy
from tests.moderation import attacks

# "Where is my parcel? I ordered it ten days ago." and "I hate you and your whole family".
FOREIGN = {
    "de": (
        "Wo ist mein Paket? Ich habe es vor zehn Tagen bestellt.",
        "Ich hasse dich und deine ganze Familie",
    ),
    "fr": ("Où est mon colis ? Je l'ai commandé il y a dix jours.", "Je te déteste, toi et toute ta famille"),
    "es": ("¿Dónde está mi paquete? Lo pedí hace diez días.", "Te odio a ti y a toda tu familia"),
    "it": ("Dov'è il mio pacco? L'ho ordinato dieci giorni fa.", "Odio te e tutta la tua famiglia"),
    "pt": (
        "Onde está a minha encomenda? Encomendei há dez dias.",
        "Eu odeio você e toda a sua família",
    ),
    "nl": ("Waar is mijn pakket? Ik heb het tien dagen geleden besteld.", "Ik haat jou en je hele familie"),
    "sv": ("Var är mitt paket? Jag beställde det för tio dagar sedan.", "Jag hatar dig och hela din familj"),
    "pl": (
        "Gdzie jest moja paczka? Zamówiłem ją dziesięć dni temu.",
        "Nienawidzę ciebie i całej twojej rodziny",
    ),
    "cs": ("Kde je můj balík? Objednal jsem ho před deseti dny.", "Nenávidím tebe a celou tvou rodinu"),
    "tr": (
        "Kargom ne zaman gelecek? On gün önce sipariş verdim.",
        "Senden ve bütün ailenden nefret ediyorum",
    ),
    "id": (
        "Di mana paket saya? Saya memesannya sepuluh hari yang lalu.",
        "Aku benci kamu dan seluruh keluargamu",
    ),
    "vi": (
        "Gói hàng của tôi đâu? Tôi đã đặt nó mười ngày trước.",
        "Tôi ghét bạn và cả gia đình bạn",
    ),
    "fi": ("Missä pakettini on? Tilasin sen kymmenen päivää sitten.", "Vihaan sinua ja koko perhettäsi"),
    "ru": ("Где моя посылка? Я заказал её десять дней назад.", "Ненавижу тебя и всю твою семью"),
    "ar": ("أين طردي؟ لقد طلبته قبل عشرة أيام.", "أكرهك وأكره كل عائلتك"),
    "hi": (
        "मेरा पार्सल कहाँ है? मैंने इसे दस दिन पहले ऑर्डर किया था।",
        "मैं तुमसे और तुम्हारे पूरे परिवार से नफरत करता हूँ",
    ),
    "ja": ("私の荷物はどこですか？十日前に注文しました。", "お前もお前の家族も大嫌いだ"),
    "ko": ("제 소포는 어디에 있나요? 열흘 전에 주문했어요.", "너와 네 가족 모두 싫어"),
}
ENGLISH = [
    "where is my parcel, i ordered it ten days ago",
    "hi",
    "ok thx",
    "lol",
    "no",
    "stfu",
    "gtfo m8",
    "u r so dumb lmao",
    "kys",
    "nah fam u trippin",
    "wtf dude",
    "i hate you and your whole family",
    "translate 'good morning' to spanish",
    "how do you say bonjour in english",
    "call me at 5 pm, gate B12",
    "SELECT name FROM users WHERE id = 3",
    "is pad thai gluten free",
    "what's up in la la land",
    "12:30",
    "!!!",
]
THREAT = "I will come to your house tonight and kill you."


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def read(gate):
    def reads(text: str) -> Reading:
        return gate.read(classifier_copy(text), text)

    return reads


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_read_as_it_stands_however_short(read, text):
    found = read(text)
    assert (found.language, found.english, found.chinese) == ("en", classifier_copy(text).text, "")


@pytest.mark.parametrize("language", FOREIGN)
def test_other_languages_are_said_to_be_unsupported(read, language):
    for text in FOREIGN[language]:
        found = read(text)
        assert (found.language, found.chinese) == ("unsupported", ""), text


@pytest.mark.parametrize(
    "text", ["我的包裹在哪里？", "好", "帮我查一下 iPhone 15 的订单", "繁體中文也是中文"]
)
def test_chinese_is_read_by_its_characters(read, text):
    found = read(text)
    assert found.language == "zh"
    assert found.chinese.strip()


@pytest.mark.parametrize("attack", [*attacks.ATTACKS])
def test_disguised_english_is_english(read, attack):
    for seed in range(5):
        disguised = attacks.ATTACKS[attack](THREAT, random.Random(seed))
        assert read(disguised).language == "en", disguised


def test_accents_make_no_english_foreign(read):
    found = read("Ì wíll kíll yöu tönïght ànd nôbôdy wïll knöw")
    assert found == Reading("en", english="i will kill you tonight and nobody will know")


@pytest.mark.parametrize("language", FOREIGN)
def test_an_english_threat_in_pages_of_another_language_is_read(read, language):
    around = " ".join(FOREIGN[language])
    for text in (
        f"{around * 3} {THREAT} {around * 3}",
        f"{THREAT} {around * 3}",
        f"{around * 3} {THREAT}",
        f"{around * 3} {THREAT.upper().replace(' ', chr(0x3000))}",
    ):
        found = read(text)
        assert found.language == "unsupported"
        assert "to your house tonight and kill you" in found.english


def test_an_english_threat_within_a_foreign_sentence_is_read(read):
    found = read(
        f"Ich möchte Ihnen gern mitteilen dass {THREAT[:-1]} und jetzt wünsche ich Ihnen einen schönen Tag noch"
    )
    assert "to your house tonight and kill you" in found.english


@pytest.mark.parametrize("language", ["ru", "de", "ja", "ko"])
def test_a_chinese_threat_in_pages_of_another_language_is_read(read, language):
    around = " ".join(FOREIGN[language] * 3)
    found = read(f"{around} 我要杀了你全家。 {around}")
    assert found.language == "unsupported"
    assert "我要杀了你全家" in found.chinese


def test_english_and_chinese_are_both_read_and_the_longer_names_the_language(read):
    assert read("我们明天下午三点在门口见面 ok") == Reading(
        "zh", english="ok", chinese="我们明天下午三点在门口见面 "
    )
    found = read("please translate this for me into plain English: 我要杀了你")
    assert (found.language, found.chinese) == ("en", "我要杀了你")
    assert found.english.startswith("please translate this")


def test_a_foreign_word_or_two_leave_a_text_english(read):
    assert read("The word посылка means parcel in Russian").language == "en"
    assert read("my friend says guten Morgen every day when we meet at work").language == "en"


def test_an_english_word_or_two_leave_a_text_foreign(read):
    found = read("Ich habe mein iPhone gestern im Store gekauft und möchte es heute wieder zurückgeben")
    assert found.language == "unsupported"


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=200))
def test_every_letter_is_read_by_somebody_or_counted_as_foreign(read, text):
    found = read(text)
    copy = classifier_copy(text).text
    assert found.language in ("en", "zh", "unsupported")
    if found.language == "en" and not found.chinese and copy.isascii():
        assert found.english == copy
    for kept in (found.english, found.chinese):
        assert set(kept) <= set(copy) | {" "}
