"""Short forms of keys that two people compare by reading them aloud.

Six words stand for a counter's public key: the operator sees them in `mykey-server terminal list`,
the person at the counter on the box. 48 bits: whoever would enrol another box with the same six
words has only the minutes of that one code to find such a key. A pin stands for the certificate of
the server's own authority; it may be known for years, so it has 100 bits.
"""

from __future__ import annotations

import hashlib

from mykey_tui.domain.errors import MalformedIdError

WORDS_SHOWN = 6
PIN_LENGTH = 20
PIN_GROUP = 5
_PIN_BITS = 5 * PIN_LENGTH
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32, as in enrolment codes: no I, L, O, U."""
_READ_AS = str.maketrans("ILO", "110", "- ")
_PIN_TYPED_MAX = 64

_NOUNS = """
ahiru akari anzu asagao ashita awabi ayame azuki bara basu batta benchi bento beru biwa
bonsai boru budo bunko buranko chikuwa chizu daikon daiku dango denwa dobin donguri ebi
enogu enpitsu fude fugu fuji fukuro fune furo futon fuyu gakko garasu genkan geta ginnan
gohan goma gyoza hachi hagaki hako hamaguri hana hanabi hanami haru hasami hashi hato hebi
himawari hinoki hiru hitsuji hiyoko hoshi hotaru hotate hyotan ichigo inari inu iruka ishi
isu iwashi jisho kaba kabocha kabu kaeru kagami kagi kaki kame kani kappa karasu kasa katana
kawa kazan kaze kemuri kiku kimono kinoko kirin kitsune koala koma kome konbu kotatsu koto
kujaku kuma kumo kurage kuri kuruma kusa kutsu kyuri machi mado maguro makura mame manga
manju mari matcha matsu mayu megane meron michi midori mikan mimi minami minato mise miso
mizu mochi mogura momiji momo mori mugi mura mushi nabe nami nasu natsu natto negi neko
nezumi niji niku ninjin nishi niwa niwatori nori nuno ocha okame okashi omocha onigiri onsen
origami oyako panda pengin penki piano posuto raion rajio ramen remon renga renkon ringo
risu robata rosoku ryokan saba saifu sakana sake sakura sango sanma sara saru sasa sato
satsuma semi senbei sensu shika shima shio shiro shoga soba sora sudachi sugi suika sumi
sumo suna sushi suzu suzume tabi taiko taka take tako tamago tanpopo tanuki tatami tegami
tempura tera tofu tokage tokei tombo tora tori tsubaki tsubame tsuki tsumiki tsuru uchiwa
udon uma ume umi unagi usagi ushi wasabi wata yagi yama yukata yuki yuri yuzu zabuton zakuro
zaru
"""
WORDS = tuple(_NOUNS.split())
"""Plain Japanese nouns in ASCII, so that every console shows them and everybody can say them."""


def words_of(public_key: bytes) -> str:
    """The six words of a counter's public key, for example `kasa neko yuzu hato fune miso`."""
    digest = hashlib.sha256(b"mykey-fingerprint-1" + public_key).digest()
    return " ".join(WORDS[byte] for byte in digest[:WORDS_SHOWN])


def pin_of(certificate_der: bytes) -> str:
    """The pin of a CA certificate: 20 characters in groups of five."""
    digest = hashlib.sha256(b"mykey-server-ca-1" + certificate_der).digest()
    number = int.from_bytes(digest, "big") >> (8 * len(digest) - _PIN_BITS)
    text = "".join(_ALPHABET[number >> (5 * place) & 31] for place in range(PIN_LENGTH - 1, -1, -1))
    return "-".join(text[at : at + PIN_GROUP] for at in range(0, PIN_LENGTH, PIN_GROUP))


def parse_pin(text: str) -> str:
    """A pin as a person typed it, in the form of `pin_of`.

    Lower case, blanks, and the lookalikes I, L, O are read as meant.

    Raises:
        MalformedIdError: no pin.
    """
    read = text[:_PIN_TYPED_MAX].upper().translate(_READ_AS)
    for position, character in enumerate(read, start=1):
        if character not in _ALPHABET or position > PIN_LENGTH:
            raise MalformedIdError("pin", position=position)
    if len(read) != PIN_LENGTH:
        raise MalformedIdError("pin", position=len(read) + 1)
    return "-".join(read[at : at + PIN_GROUP] for at in range(0, PIN_LENGTH, PIN_GROUP))
