"""TPC-C's nine tables, their keys and their indexes.

Source: TPC-C specification 5.11, clause 1.3. There are no foreign keys.
"""

from __future__ import annotations

_ADDRESS = """
            {0}_street_1 varchar(20), {0}_street_2 varchar(20), {0}_city varchar(20),
            {0}_state char(2), {0}_zip char(9)"""

CREATE_TABLE = {
    "warehouse": f"""
        CREATE TABLE warehouse (
            w_id integer NOT NULL, w_name varchar(10), {_ADDRESS.format("w").strip()},
            w_tax numeric(4, 4), w_ytd numeric(12, 2)
        )""",
    "district": f"""
        CREATE TABLE district (
            d_w_id integer NOT NULL, d_id integer NOT NULL,
            d_name varchar(10), {_ADDRESS.format("d").strip()},
            d_tax numeric(4, 4), d_ytd numeric(12, 2), d_next_o_id integer NOT NULL
        )""",
    "customer": f"""
        CREATE TABLE customer (
            c_w_id integer NOT NULL, c_d_id integer NOT NULL, c_id integer NOT NULL,
            c_first varchar(16), c_middle char(2), c_last varchar(16),
            {_ADDRESS.format("c").strip()}, c_phone char(16), c_since timestamp,
            c_credit char(2), c_credit_lim numeric(12, 2), c_discount numeric(4, 4),
            c_balance numeric(12, 2), c_ytd_payment numeric(12, 2),
            c_payment_cnt integer, c_delivery_cnt integer, c_data varchar(500)
        )""",
    "history": """
        CREATE TABLE history (
            h_c_id integer, h_c_d_id integer, h_c_w_id integer, h_d_id integer, h_w_id integer,
            h_date timestamp, h_amount numeric(6, 2), h_data varchar(24)
        )""",
    "new_order": """
        CREATE TABLE new_order (
            no_w_id integer NOT NULL, no_d_id integer NOT NULL, no_o_id integer NOT NULL
        )""",
    "orders": """
        CREATE TABLE orders (
            o_w_id integer NOT NULL, o_d_id integer NOT NULL, o_id integer NOT NULL,
            o_c_id integer, o_entry_d timestamp, o_carrier_id integer,
            o_ol_cnt integer, o_all_local integer
        )""",
    "order_line": """
        CREATE TABLE order_line (
            ol_w_id integer NOT NULL, ol_d_id integer NOT NULL, ol_o_id integer NOT NULL,
            ol_number integer NOT NULL, ol_i_id integer, ol_supply_w_id integer,
            ol_delivery_d timestamp, ol_quantity integer, ol_amount numeric(6, 2),
            ol_dist_info char(24)
        )""",
    "item": """
        CREATE TABLE item (
            i_id integer NOT NULL, i_im_id integer, i_name varchar(24),
            i_price numeric(5, 2), i_data varchar(50)
        )""",
    "stock": """
        CREATE TABLE stock (
            s_w_id integer NOT NULL, s_i_id integer NOT NULL, s_quantity integer,
            s_dist_1 char(24), s_dist_2 char(24), s_dist_3 char(24), s_dist_4 char(24),
            s_dist_5 char(24), s_dist_6 char(24), s_dist_7 char(24), s_dist_8 char(24),
            s_dist_9 char(24), s_dist_10 char(24),
            s_ytd integer, s_order_cnt integer, s_remote_cnt integer, s_data varchar(50)
        )""",
}

INDEXES = {
    "warehouse": ("ALTER TABLE warehouse ADD PRIMARY KEY (w_id)",),
    "district": ("ALTER TABLE district ADD PRIMARY KEY (d_w_id, d_id)",),
    "customer": (
        "ALTER TABLE customer ADD PRIMARY KEY (c_w_id, c_d_id, c_id)",
        "CREATE INDEX customer_name ON customer (c_w_id, c_d_id, c_last, c_first)",
    ),
    "history": (),
    "new_order": ("ALTER TABLE new_order ADD PRIMARY KEY (no_w_id, no_d_id, no_o_id)",),
    "orders": (
        "ALTER TABLE orders ADD PRIMARY KEY (o_w_id, o_d_id, o_id)",
        "CREATE INDEX orders_customer ON orders (o_w_id, o_d_id, o_c_id, o_id)",
    ),
    "order_line": (
        "ALTER TABLE order_line ADD PRIMARY KEY (ol_w_id, ol_d_id, ol_o_id, ol_number)",
    ),
    "item": ("ALTER TABLE item ADD PRIMARY KEY (i_id)",),
    "stock": ("ALTER TABLE stock ADD PRIMARY KEY (s_w_id, s_i_id)",),
}
"""Table to the statements for its primary key and its other indexes."""
