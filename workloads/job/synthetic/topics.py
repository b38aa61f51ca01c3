"""Topics: what a movie is about decides its genres, its keywords and its rating."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    Attributes:
        genres: the most typical first.
        rating: the mean rating in tenths.
        nouns: words of its titles.
        keywords: that its movies bear again and again, the most frequent first.
    """

    genres: tuple[str, ...]
    rating: int
    nouns: tuple[str, ...]
    keywords: tuple[str, ...]


def _topic(genres: str, rating: int, nouns: str, keywords: str) -> Topic:
    return Topic(tuple(genres.split()), rating, tuple(nouns.split()), tuple(keywords.split()))


TOPICS = (
    _topic(
        "Drama Romance Family",
        66,
        "Winter Garden Letter Daughter Harvest Promise River Silence Mother Window Bridge Road",
        "love friendship based-on-novel family-relationships marriage death hospital loss divorce "
        "dignity alienation loner",
    ),
    _topic(
        "Comedy Romance Family",
        61,
        "Wedding Movie Neighbour Loser Holiday Uncle Money Party Bachelor Honeymoon Roommate Diet",
        "party nerd wedding friendship independent-film embarrassment misunderstanding singing "
        "high-school tv-special",
    ),
    _topic(
        "Documentary Biography History",
        75,
        "Planet Century Island Workers Archive Portrait Voices Ocean Journey Memory People Tundra",
        "interview history politics nature 1960s war-footage environment society archive-footage",
    ),
    _topic(
        "Short Drama Comedy",
        68,
        "Chair Minute Rain Balloon Stairs Echo Paper Mirror Thread Orange Corridor Snow",
        "independent-film number-in-title loner surrealism loneliness experimental-film dream",
    ),
    _topic(
        "Horror Thriller Mystery",
        45,
        "Vampire Blood Freddy Jason Grave Cellar Scream Witch Doll Fog Slaughter Possession",
        "blood murder gore violence female-nudity death revenge cult-film monster zombie "
        "murder-in-title hospital",
    ),
    _topic(
        "Thriller Crime Mystery",
        59,
        "Murder Detective Alibi Witness Verdict Heist Informer Shadow Ransom Money Suspect Gun",
        "murder violence police revenge blood detective murder-in-title investigation corruption "
        "gangster death",
    ),
    _topic(
        "Action Adventure Thriller",
        57,
        "Strike Champion Force Mission Commando Dragon Storm Fury Hunter Target Pursuit Fist",
        "fight violence martial-arts hand-to-hand-combat hero sequel revenge explosion gunfight "
        "chase second-part",
    ),
    _topic(
        "Sci-Fi Action Fantasy",
        58,
        "Robot Galaxy Signal Titan Machine Orbit Mutant Planet Reactor Comet Android Colony",
        "superhero based-on-comic marvel-comics sequel laser robot fight alien second-part "
        "spaceship magnet web claw",
    ),
    _topic(
        "Animation Family Comedy",
        67,
        "Rabbit Penguin Panda Castle Wizard Puppet Kitten Dragon Forest Circus Toy Star",
        "computer-animation anthropomorphic-animal computer-animated-movie hero based-on-comic "
        "magic cartoon talking-animal friendship",
    ),
    _topic(
        "War Drama History",
        67,
        "Battle Trench Soldier Regiment Siege Victory Flag Bomber Frontline General Treaty Winter",
        "world-war-two soldier death battle heroism violence based-on-novel history survival",
    ),
    _topic(
        "Western Action Drama",
        58,
        "Sheriff Canyon Saddle Gunman Prairie Stagecoach Rustler Ranch Outlaw Trail Mustang Creek",
        "horse cowboy sheriff gunfight revenge outlaw murder saloon ranch",
    ),
    _topic(
        "Music Musical Reality-TV",
        64,
        "Melody Concert Stage Champion Band Chorus Rhythm Dance Idol Festival Tour Song",
        "singer singing dancing concert tv-special song talent-contest rock-music",
    ),
)

TOPIC_OF_KIND = {
    "movie": (22, 17, 9, 6, 8, 9, 9, 4, 3, 5, 5, 3),
    "tv series": (14, 22, 16, 1, 2, 12, 6, 5, 10, 1, 2, 9),
    "tv movie": (24, 14, 20, 1, 4, 12, 5, 3, 4, 4, 2, 7),
    "video movie": (6, 10, 14, 10, 16, 6, 12, 4, 8, 1, 1, 12),
    "video game": (1, 2, 0, 0, 9, 5, 34, 28, 14, 6, 1, 0),
    "episode": (14, 22, 16, 1, 2, 12, 6, 5, 10, 1, 2, 9),
}
"""The shares of the topics, for each kind of movie."""

COMMON_KEYWORDS = (
    "character-name-in-title",
    "number-in-title",
    "10,000-mile-club",
    "marvel-cinematic-universe",
)
"""Keywords of no topic: the first of any movie, the last ones of notable movies alone."""

NAMED_KEYWORDS = tuple(
    dict.fromkeys([*COMMON_KEYWORDS, *(word for topic in TOPICS for word in topic.keywords)])
)
"""Keywords that are the same at any scale; their ids count from 1 in this order."""

HORROR, ANIMATION = 4, 8
"""Topics that more depends on: certificates and companies; the cast are voices."""
