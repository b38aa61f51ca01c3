"""The IMDb tables of the Join Order Benchmark: columns, keys, indexes and row counts.

Source: the benchmark's `schema.sql` and `fkindexes.sql`. Like there, references have
indexes but no constraints, which would change the planner's estimates.
"""

from __future__ import annotations

CREATE_TABLE = {
    "aka_name": """
        CREATE TABLE aka_name (
            id            integer NOT NULL,
            person_id     integer NOT NULL,
            name          text NOT NULL,
            imdb_index    varchar(12),
            name_pcode_cf varchar(5),
            name_pcode_nf varchar(5),
            surname_pcode varchar(5),
            md5sum        varchar(32)
        )""",
    "aka_title": """
        CREATE TABLE aka_title (
            id              integer NOT NULL,
            movie_id        integer NOT NULL,
            title           text NOT NULL,
            imdb_index      varchar(12),
            kind_id         integer NOT NULL,
            production_year integer,
            phonetic_code   varchar(5),
            episode_of_id   integer,
            season_nr       integer,
            episode_nr      integer,
            note            text,
            md5sum          varchar(32)
        )""",
    "cast_info": """
        CREATE TABLE cast_info (
            id             integer NOT NULL,
            person_id      integer NOT NULL,
            movie_id       integer NOT NULL,
            person_role_id integer,
            note           text,
            nr_order       integer,
            role_id        integer NOT NULL
        )""",
    "char_name": """
        CREATE TABLE char_name (
            id            integer NOT NULL,
            name          text NOT NULL,
            imdb_index    varchar(12),
            imdb_id       integer,
            name_pcode_nf varchar(5),
            surname_pcode varchar(5),
            md5sum        varchar(32)
        )""",
    "comp_cast_type": """
        CREATE TABLE comp_cast_type (
            id   integer NOT NULL,
            kind varchar(32) NOT NULL
        )""",
    "company_name": """
        CREATE TABLE company_name (
            id            integer NOT NULL,
            name          text NOT NULL,
            country_code  varchar(255),
            imdb_id       integer,
            name_pcode_nf varchar(5),
            name_pcode_sf varchar(5),
            md5sum        varchar(32)
        )""",
    "company_type": """
        CREATE TABLE company_type (
            id   integer NOT NULL,
            kind varchar(32) NOT NULL
        )""",
    "complete_cast": """
        CREATE TABLE complete_cast (
            id         integer NOT NULL,
            movie_id   integer,
            subject_id integer NOT NULL,
            status_id  integer NOT NULL
        )""",
    "info_type": """
        CREATE TABLE info_type (
            id   integer NOT NULL,
            info varchar(32) NOT NULL
        )""",
    "keyword": """
        CREATE TABLE keyword (
            id            integer NOT NULL,
            keyword       text NOT NULL,
            phonetic_code varchar(5)
        )""",
    "kind_type": """
        CREATE TABLE kind_type (
            id   integer NOT NULL,
            kind varchar(15) NOT NULL
        )""",
    "link_type": """
        CREATE TABLE link_type (
            id   integer NOT NULL,
            link varchar(32) NOT NULL
        )""",
    "movie_companies": """
        CREATE TABLE movie_companies (
            id              integer NOT NULL,
            movie_id        integer NOT NULL,
            company_id      integer NOT NULL,
            company_type_id integer NOT NULL,
            note            text
        )""",
    "movie_info": """
        CREATE TABLE movie_info (
            id           integer NOT NULL,
            movie_id     integer NOT NULL,
            info_type_id integer NOT NULL,
            info         text NOT NULL,
            note         text
        )""",
    "movie_info_idx": """
        CREATE TABLE movie_info_idx (
            id           integer NOT NULL,
            movie_id     integer NOT NULL,
            info_type_id integer NOT NULL,
            info         text NOT NULL,
            note         text
        )""",
    "movie_keyword": """
        CREATE TABLE movie_keyword (
            id         integer NOT NULL,
            movie_id   integer NOT NULL,
            keyword_id integer NOT NULL
        )""",
    "movie_link": """
        CREATE TABLE movie_link (
            id              integer NOT NULL,
            movie_id        integer NOT NULL,
            linked_movie_id integer NOT NULL,
            link_type_id    integer NOT NULL
        )""",
    "name": """
        CREATE TABLE name (
            id            integer NOT NULL,
            name          text NOT NULL,
            imdb_index    varchar(12),
            imdb_id       integer,
            gender        varchar(1),
            name_pcode_cf varchar(5),
            name_pcode_nf varchar(5),
            surname_pcode varchar(5),
            md5sum        varchar(32)
        )""",
    "person_info": """
        CREATE TABLE person_info (
            id           integer NOT NULL,
            person_id    integer NOT NULL,
            info_type_id integer NOT NULL,
            info         text NOT NULL,
            note         text
        )""",
    "role_type": """
        CREATE TABLE role_type (
            id   integer NOT NULL,
            role varchar(32) NOT NULL
        )""",
    "title": """
        CREATE TABLE title (
            id              integer NOT NULL,
            title           text NOT NULL,
            imdb_index      varchar(12),
            kind_id         integer NOT NULL,
            production_year integer,
            imdb_id         integer,
            phonetic_code   varchar(5),
            episode_of_id   integer,
            season_nr       integer,
            episode_nr      integer,
            series_years    varchar(49),
            md5sum          varchar(32)
        )""",
}

ROW_COUNTS = {
    "aka_name": 901_343,
    "aka_title": 361_472,
    "cast_info": 36_244_344,
    "char_name": 3_140_339,
    "comp_cast_type": 4,
    "company_name": 234_997,
    "company_type": 4,
    "complete_cast": 135_086,
    "info_type": 113,
    "keyword": 134_170,
    "kind_type": 7,
    "link_type": 18,
    "movie_companies": 2_609_129,
    "movie_info": 14_835_720,
    "movie_info_idx": 1_380_035,
    "movie_keyword": 4_523_930,
    "movie_link": 29_997,
    "name": 4_167_491,
    "person_info": 2_963_664,
    "role_type": 12,
    "title": 2_528_312,
}
"""Rows of each table in the benchmark's export of May 2013."""

REFERENCES = {
    ("movie_companies", "company_id"): "company_name",
    ("movie_companies", "company_type_id"): "company_type",
    ("movie_info_idx", "info_type_id"): "info_type",
    ("movie_info", "info_type_id"): "info_type",
    ("person_info", "info_type_id"): "info_type",
    ("movie_keyword", "keyword_id"): "keyword",
    ("aka_title", "kind_id"): "kind_type",
    ("title", "kind_id"): "kind_type",
    ("movie_link", "linked_movie_id"): "title",
    ("movie_link", "link_type_id"): "link_type",
    ("aka_title", "movie_id"): "title",
    ("cast_info", "movie_id"): "title",
    ("complete_cast", "movie_id"): "title",
    ("movie_companies", "movie_id"): "title",
    ("movie_info_idx", "movie_id"): "title",
    ("movie_keyword", "movie_id"): "title",
    ("movie_link", "movie_id"): "title",
    ("movie_info", "movie_id"): "title",
    ("aka_name", "person_id"): "name",
    ("cast_info", "person_id"): "name",
    ("person_info", "person_id"): "name",
    ("cast_info", "person_role_id"): "char_name",
    ("cast_info", "role_id"): "role_type",
}
"""(table, column) to the table whose `id` it refers to, for every indexed reference."""

INDEXES = {
    table: (
        f"ALTER TABLE {table} ADD PRIMARY KEY (id)",
        *(f"CREATE INDEX ON {table} ({column})" for other, column in REFERENCES if other == table),
    )
    for table in CREATE_TABLE
}
"""Table to the statements for its primary key and its other indexes."""
