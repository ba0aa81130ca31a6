"""The material for both sides: strings that tokenizers often get wrong, texts for logits, conversations for the
template."""

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
    "\u212b \u2126 \u0958 \u1112\u1161\u11ab \uf900 \u0344 n\u0303o\u0302",
    "x",
    " ",
    "\n",
)  # fmt: skip

TEXTS = (
    "The quick brown fox jumps over the lazy dog, and then it sleeps under the old oak tree until the evening comes. "
    "When the sun goes down behind the hills, the farmer calls the animals back to the yard and closes the gate.",
    "Le jardin est derrière la maison. Chaque matin, les voisins viennent y cueillir des pommes et des poires.",
    "def area(width: float, height: float) -> float:\n    return width * height\n\n\nprint(area(3.5, 12))\n",
    "The lighthouse keeper wrote down everything. On Monday the wind came from the west and the barometer stood "
    "at 1013; on Tuesday it fell to 998, and by nightfall the boats had been pulled up beyond the wall. He "
    "counted them twice: eleven were there, and the twelfth, the green one that belonged to the baker's cousin, "
    "was not. So he lit the lamp an hour early, took the longer rope from its hook, and went down the two "
    "hundred and six steps to the landing stage.\n\n"
    "Nobody who has not stood there in such weather can say how loud it is. The water struck the stones, drew "
    "back with a rattle of pebbles, and struck again; between two waves one could hear the bell on the outer "
    "buoy, and nothing else. He waited. At half past nine a light showed, went out, showed once more a little "
    "further south, and then a voice called a name that he did not know. He threw the rope. It fell short. He "
    "pulled it in, coiled it over his arm as his mother had taught him, and threw it again, lower this time and "
    "against the wind, and felt it grow tight.\n\n"
    "Three people came up the steps that night: the cousin, a girl of about twelve with a cage under her coat, "
    "and an old man who said that he had been a keeper himself, on another coast, before the lamps were made to "
    "turn by themselves. They drank tea until the cups were empty and the clock had struck four. In the cage "
    'sat a starling that could say "good morning" in two languages, though it was still dark. When the storm '
    "had gone, they found the green boat on the sand with a hole in its side as large as a plate; by the end of "
    "the month it was mended, and painted blue. The keeper wrote that down as well: the date, the height of the "
    "tide (4.2 m), the price of the paint, and who had paid.\n",
)
"""The first words show a missing begin-of-text token; the last text is long, because a small error of the rope grows
with the distance of two tokens."""

MOST_TOKENS = 448
"""Most tokens of a text, which is cut there or at the model's own limit. By then a rope base that is a tenth too large
moves the logits of SmolLM2-135M by ten times the rounding of f16."""

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
