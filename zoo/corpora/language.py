"""Which language a text is in: English, French, both or neither, by the small words that every sentence needs. Pure.

A text has one of LANGUAGES. Words that both languages write the same are no evidence. Evidence for a third language
(words that Spanish, Italian, Portuguese and German need) makes a text ``other``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.corpora.tagging import WORD, plain

LANGUAGES = ("en", "fr", "mixed", "other", "unknown")
"""unknown: nothing in the text decides, such as a sum or a name. mixed: both languages, such as a translation."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = _words(
    "the of to is it my your you what how why when where which who and with for from this that these those are was "
    "were be been being have has had do does did don't can could should would will may might must not no i i'm "
    "he she they we his her their our its an or if then than there here into about after before between both each "
    "every some give tell write make find put get need want let's please explain name show turn add set move cancel "
    "remind help two three four five six seven eight nine ten all any only just more most less very too also out up "
    "down over off at by as in so one me him them us new old good best first last next long much many like without "
    "within during say says said called means word words sentence list short answer question translate hour minutes "
    "day week year time today tomorrow morning night book sorry switch start stop play call wake number half lights "
    "light kitchen water house work room city capital lend dozen"
)
_FRENCH = _words(
    "le la les un une des du de et est sont était à au aux en dans sur sous avec pour par sans chez que qui quoi dont "
    "où je tu il elle nous vous ils elles mon ma mes ton ta tes son sa ses notre votre nos vos leur leurs ce cet "
    "cette ces ça cela ne pas plus rien jamais comment pourquoi quand combien quel quelle quels quelles ou mais donc "
    "car si c'est qu'est-ce être avoir fait faire faut peut peux veux dois vais va vas ai as a ont avons avez suis es "
    "sommes êtes moi toi lui eux y pis ben chus icitte moé toé donne explique écris trouve nomme propose mets ajoute "
    "deux trois quatre cinq sept huit neuf dix tout toute tous toutes très trop aussi encore déjà bien mal peu entre "
    "avant après pendant depuis jusque vers contre même autre autres chaque plusieurs quelque quelques lequel "
    "laquelle merci oui non ici là asteure faque soir matin demain hier jour jours heure heures fois mot phrase "
    "réponds traduis corrige nouveau nouvelle petit petite bon bonne beau belle résume compose calcule complète "
    "rappelle envoie ferme allume éteins monte baisse lis joue change marque note renomme annule déplace l d j qu n t "
    "c s m"
)
_SHARED = frozenset(["a", "on", "me", "as", "note", "change", "six", "or", "son", "t", "s", "m", "d", "c", "no"])
"""Written the same in both languages, or left over from an apostrophe; no evidence for either."""
_OTHER = _words(
    "el los las una por para como está cómo qué muy pero más yo ella nosotros cuando donde hay tiene puedo quiero il "
    "lo gli della delle degli di che per sono come perché quando anche questo questa cosa mi ti non vorrei posso o os "
    "uma não são você com em do da dos das ao pelo pela mais muito isso eu ele ela onde der die und ist nicht ein "
    "eine einen ich du wir sie mit für auf von zu den dem wie was wo warum kann bitte het een van ik niet voor met "
    "zijn och att det som inte jag"
)
_ONLY_OTHER = _OTHER - _ENGLISH - _FRENCH
_ONLY_ENGLISH, _ONLY_FRENCH = _ENGLISH - _FRENCH - _SHARED, _FRENCH - _ENGLISH - _SHARED
_ELIDED = re.compile(r"\b(?:[ljdnmtsc]|qu|jusqu|lorsqu|puisqu)'(?=[aeiouyhàâéèêëîïôûœ])", re.IGNORECASE)
_CLIPPED = re.compile(r"\b(?:[a-z]+n't|i'm|i'll|i've|i'd|it's|that's|what's|who's|where's|there's|let's|[a-z]+'re)\b")
_ACCENTS = re.compile("[àâçèéêëîïôùûœ]")
_FOREIGN = re.compile("[ñ¿¡ßãõäöåøáíóúìò]")
_LEAST, _SHARE = 3, 0.3
"""A text is mixed if the weaker language has this many signs, and this share of all."""


def language(text: str) -> str:
    """The language of a text, one of LANGUAGES."""
    return of_words(small := plain(text).lower(), WORD.findall(small))


def of_words(small: str, words: Sequence[str]) -> str:
    """The same for a plain text in small letters, and its words."""
    english = sum(map(_ONLY_ENGLISH.__contains__, words))
    french = sum(map(_ONLY_FRENCH.__contains__, words))
    if "'" in small:
        french += len(_ELIDED.findall(small))
        english += len(_CLIPPED.findall(small))
    if _ACCENTS.search(small):
        french += 1
    other = sum(map(_ONLY_OTHER.__contains__, words)) + 2 * bool(_FOREIGN.search(small))
    if english == french == 0:
        return "other" if other else "unknown"
    if other > max(english, french) * 0.7:
        return "other"
    weak, strong = sorted((english, french))
    if weak >= _LEAST and weak >= _SHARE * (weak + strong):
        return "mixed"
    return "en" if english > french else "fr" if french > english else "mixed"
