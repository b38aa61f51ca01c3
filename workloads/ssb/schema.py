"""The Star Schema Benchmark's tables, keys and indexes.

Source: O'Neil, O'Neil, Chen, Revilak: "The Star Schema Benchmark", section 3. Money
is in whole cents and dates are integers such as 19970531, as the paper's own
generator writes them. Every foreign key of the fact table has an index.
"""

from __future__ import annotations

CREATE_TABLE = {
    "lineorder": """
        CREATE TABLE lineorder (
            lo_orderkey      bigint NOT NULL,
            lo_linenumber    integer NOT NULL,
            lo_custkey       integer NOT NULL,
            lo_partkey       integer NOT NULL,
            lo_suppkey       integer NOT NULL,
            lo_orderdate     integer NOT NULL,
            lo_orderpriority varchar(15) NOT NULL,
            lo_shippriority  integer NOT NULL,
            lo_quantity      integer NOT NULL,
            lo_extendedprice integer NOT NULL,
            lo_ordtotalprice integer NOT NULL,
            lo_discount      integer NOT NULL,
            lo_revenue       integer NOT NULL,
            lo_supplycost    integer NOT NULL,
            lo_tax           integer NOT NULL,
            lo_commitdate    integer NOT NULL,
            lo_shipmode      varchar(10) NOT NULL
        )""",
    "customer": """
        CREATE TABLE customer (
            c_custkey    integer NOT NULL,
            c_name       varchar(25) NOT NULL,
            c_address    varchar(25) NOT NULL,
            c_city       varchar(10) NOT NULL,
            c_nation     varchar(15) NOT NULL,
            c_region     varchar(12) NOT NULL,
            c_phone      varchar(15) NOT NULL,
            c_mktsegment varchar(10) NOT NULL
        )""",
    "part": """
        CREATE TABLE part (
            p_partkey   integer NOT NULL,
            p_name      varchar(22) NOT NULL,
            p_mfgr      varchar(6) NOT NULL,
            p_category  varchar(7) NOT NULL,
            p_brand1    varchar(9) NOT NULL,
            p_color     varchar(11) NOT NULL,
            p_type      varchar(25) NOT NULL,
            p_size      integer NOT NULL,
            p_container varchar(10) NOT NULL
        )""",
    "supplier": """
        CREATE TABLE supplier (
            s_suppkey integer NOT NULL,
            s_name    varchar(25) NOT NULL,
            s_address varchar(25) NOT NULL,
            s_city    varchar(10) NOT NULL,
            s_nation  varchar(15) NOT NULL,
            s_region  varchar(12) NOT NULL,
            s_phone   varchar(15) NOT NULL
        )""",
    "date": """
        CREATE TABLE date (
            d_datekey          integer NOT NULL,
            d_date             varchar(18) NOT NULL,
            d_dayofweek        varchar(9) NOT NULL,
            d_month            varchar(9) NOT NULL,
            d_year             integer NOT NULL,
            d_yearmonthnum     integer NOT NULL,
            d_yearmonth        varchar(7) NOT NULL,
            d_daynuminweek     integer NOT NULL,
            d_daynuminmonth    integer NOT NULL,
            d_daynuminyear     integer NOT NULL,
            d_monthnuminyear   integer NOT NULL,
            d_weeknuminyear    integer NOT NULL,
            d_sellingseason    varchar(12) NOT NULL,
            d_lastdayinweekfl  boolean NOT NULL,
            d_lastdayinmonthfl boolean NOT NULL,
            d_holidayfl        boolean NOT NULL,
            d_weekdayfl        boolean NOT NULL
        )""",
}
"""Table to CREATE TABLE statement, in the order in which they are loaded."""

INDEXES = {
    "lineorder": (
        "ALTER TABLE lineorder ADD PRIMARY KEY (lo_orderkey, lo_linenumber)",
        "CREATE INDEX ON lineorder (lo_custkey)",
        "CREATE INDEX ON lineorder (lo_partkey)",
        "CREATE INDEX ON lineorder (lo_suppkey)",
        "CREATE INDEX ON lineorder (lo_orderdate)",
    ),
    "customer": ("ALTER TABLE customer ADD PRIMARY KEY (c_custkey)",),
    "part": ("ALTER TABLE part ADD PRIMARY KEY (p_partkey)",),
    "supplier": ("ALTER TABLE supplier ADD PRIMARY KEY (s_suppkey)",),
    "date": ("ALTER TABLE date ADD PRIMARY KEY (d_datekey)",),
}
"""Table to the statements for its primary key and its other indexes."""

FOREIGN_KEYS = (
    "ALTER TABLE lineorder ADD FOREIGN KEY (lo_custkey) REFERENCES customer",
    "ALTER TABLE lineorder ADD FOREIGN KEY (lo_partkey) REFERENCES part",
    "ALTER TABLE lineorder ADD FOREIGN KEY (lo_suppkey) REFERENCES supplier",
    "ALTER TABLE lineorder ADD FOREIGN KEY (lo_orderdate) REFERENCES date",
    "ALTER TABLE lineorder ADD FOREIGN KEY (lo_commitdate) REFERENCES date",
)
