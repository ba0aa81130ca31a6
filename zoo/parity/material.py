"""What both sides are shown: strings that tokenizers get wrong, texts for logits, conversations for the template."""

from __future__ import annotations

from collections.abc import Mapping

STRINGS = (
    "Hello, world!",
    "I'm, you're, WE'LL, they'd: don't.",
    "1 22 333 4444 55555 3.14159 1,234.56 0x1F 10^-6 ½ ² ١٢٣",
    "déjà vu, l’été à Québec; naïve, Ærøskøbing, ß, ĳ, ﬁ",
    "e\u0301 is not é, and A\u030a is not Å",
    "中文字符測試，日本語のテキスト、한국어 문장",
    "שלום עולם, مرحبا بالعالم \u202bright to left\u202c and back",
    "हिन्दी में लिखा हुआ, ภาษาไทยไม่มีช่องว่าง",
    "👍 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇨🇦 ❤️ ☺",
    "zero\u200bwidth\u200dand\u2060joined\ufeffmark, soft\u00adhyphen, no\u00a0break, thin\u2009space",
    "   three before, three after   ",
    "a" + " " * 40 + "b" + " " * 17 + "c",
    "one\n\ntwo\r\nthree\r\n\r\n\tfour \t five\n \n  \n   six",
    "\t\t\tdef f(x: int) -> int:\n\t\t\t\treturn x ** 2  # ok\n",
    "for (int i = 0; i < n; ++i) { a[i] += b[i] << 3 & 0xFF; } // done",
    '{"key": ["value", 1.5e-3, null, true], "nested": {"a\\nb": "\\u00e9"}}',
    "https://example.com/a/b?c=d&e=%20#f user@example.com C:\\Users\\x",
    "bell\x07 escape\x1b[31m unit\x1f delete\x7f next\x85 line\u2028 paragraph\u2029 end",
    "\U0010ffff \ue000 \U000e0041 \ufffd \ufffc",
    "<s> </s> <unk> <pad> <|endoftext|> <|im_start|>user <|im_end|> [INST] <start_of_turn> <0x41>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "!!!???...,,,;;;:::---___===+++***///\\\\\\|||&&&%%%$$$###@@@~~~```'''\"\"\"",
    "MiXeD CaSe camelCase snake_case SCREAMING_CASE kebab-case dot.case",
    "Zalgo: h\u0335\u0321e\u0334\u0322l\u0336\u0327l\u0337\u0328o\u0338",
    "x",
    " ",
    "\n",
)  # fmt: skip

TEXTS = (
    "The quick brown fox jumps over the lazy dog, and then it sleeps under the old oak tree until the evening comes. "
    "When the sun goes down behind the hills, the farmer calls the animals back to the yard and closes the gate.",
    "Le jardin est derrière la maison. Chaque matin, les voisins viennent y cueillir des pommes et des poires.",
    "def area(width: float, height: float) -> float:\n    return width * height\n\n\nprint(area(3.5, 12))\n",
)
"""Long enough for a wrong rope base to show; the first words show a missing begin-of-text token."""

Conversation = tuple[Mapping[str, str], ...]

CONVERSATIONS: tuple[Conversation, ...] = (
    ({"role": "user", "content": "What is the capital of France?"},),
    (
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "What is the capital of France?"},
    ),
    (
        {"role": "user", "content": "Say \"a\" & <b>, then 'c'."},
        {"role": "assistant", "content": "a, <b>, c"},
        {"role": "user", "content": "  Déjà vu? 👍🏽\n\nAnd a second line.  "},
    ),
    (
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello there"},
    ),
)
"""The last one ends with an answer: what follows it is the end of a turn."""
