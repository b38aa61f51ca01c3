"""The small tables, whose content is the same at any scale.

Source: the type tables that the IMDbPY import writes, which the benchmark's data has.
"""

from __future__ import annotations

KINDS = (
    "movie",
    "tv series",
    "tv movie",
    "video movie",
    "tv mini series",
    "video game",
    "episode",
)

ROLES = (
    "actor",
    "actress",
    "producer",
    "writer",
    "cinematographer",
    "composer",
    "costume designer",
    "director",
    "editor",
    "miscellaneous crew",
    "production designer",
    "guest",
)

COMPANY_TYPES = (
    "distributors",
    "production companies",
    "special effects companies",
    "miscellaneous companies",
)

CAST_TYPES = ("cast", "crew", "complete", "complete+verified")

LINKS = (
    "follows",
    "followed by",
    "remake of",
    "remade as",
    "references",
    "referenced in",
    "spoofs",
    "spoofed in",
    "features",
    "featured in",
    "spin off from",
    "spin off",
    "version of",
    "similar to",
    "edited into",
    "edited from",
    "alternate language version of",
    "unknown link",
)

_FIRST_INFOS = """
runtimes|color info|genres|languages|certificates|sound mix|tech info|countries|taglines|keywords|
alternate versions|crazy credits|goofs|soundtrack|quotes|release dates|trivia|locations|
mini biography|birth notes|birth date|height|death date|spouse|other works|birth name|
salary history|nick names|books|agent address|biographical movies|portrayed in|where now|
trade mark|interviews|article|magazine cover photo|pictorial|death notes
"""

_LASER_DISC_INFOS = """
disc format|year|digital sound|official retail price|frequency response|pressing plant|length|
language|review|spaciality|release date|production country|contrast|color rendition|
picture format|video noise|video artifacts|release country|sharpness|dynamic range|audio noise|
color information|group genre|quality program|close captions-teletext-ld-g|category|analog left|
certification|audio quality|video quality|aspect ratio|analog right|additional information|
number of chapter stops|dialogue intellegibility|disc size|master format|subtitles|
status of availablility|quality of source|number of sides|video standard|supplement|
original title|sound encoding|number|label|catalog number|laserdisc title
"""

_LAST_INFOS = """
screenplay-teleplay|novel|adaption|book|production process protocol|printed media reviews|essays|
other literature|mpaa|plot|votes distribution|votes|rating|production dates|copyright holder|
filming dates|budget|weekend gross|gross|opening weekend|rentals|admissions|studios|
top 250 rank|bottom 10 rank
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace("\n", "").split("|"))


INFOS = (
    *_words(_FIRST_INFOS),
    *(f"LD {word}" for word in _words(_LASER_DISC_INFOS)),
    *_words(_LAST_INFOS),
)

DIMENSIONS = {
    "comp_cast_type": CAST_TYPES,
    "company_type": COMPANY_TYPES,
    "info_type": INFOS,
    "kind_type": KINDS,
    "link_type": LINKS,
    "role_type": ROLES,
}
"""The rows of each small table; ids count from 1 in this order."""

KIND = {name: number for number, name in enumerate(KINDS, start=1)}
ROLE = {name: number for number, name in enumerate(ROLES, start=1)}
COMPANY_TYPE = {name: number for number, name in enumerate(COMPANY_TYPES, start=1)}
CAST_TYPE = {name: number for number, name in enumerate(CAST_TYPES, start=1)}
LINK = {name: number for number, name in enumerate(LINKS, start=1)}
INFO = {name: number for number, name in enumerate(INFOS, start=1)}
