"""TPC-C's five transactions as scripts of pgbench's.

Source: TPC-C specification 5.11, clause 2.
"""

from __future__ import annotations

from workloads.oltp.mix import Kind, Statement
from workloads.oltp.tpcc.data import DISTRICTS, Size

FEWEST_LINES, MOST_LINES = 5, 15
"""Of a new order."""

_NUMBERS = range(1, MOST_LINES + 1)
_WANTED = "(VALUES {}) AS wanted (number, item, quantity)".format(
    ", ".join(f"({n}, :i{n}, :q{n})" for n in _NUMBERS)
)
_CUSTOMER = "c_w_id = :w AND c_d_id = :d AND c_id = :c_id"


def kinds(size: Size) -> tuple[Kind, ...]:
    """The five, with the weights 45, 43, 4, 4 and 4."""
    home = {"w": f"random(1, {size.warehouses})", "d": f"random(1, {DISTRICTS})"}
    customer = {"c_id": _nurand(1023, size.customers)}
    named = {**customer, "percent": "random(1, 100)", "name": _name(size)}
    return (
        Kind("new_order", 45.0, {**home, **customer, **_lines(size)}, _NEW_ORDER),
        Kind("payment", 43.0, {**home, **named, "amount": "random(100, 500000)"}, _PAYMENT),
        Kind("order_status", 4.0, {**home, **named}, _ORDER_STATUS),
        Kind("delivery", 4.0, {"w": home["w"], "carrier": "random(1, 10)"}, _DELIVERY),
        Kind("stock_level", 4.0, {**home, "least": "random(10, 20)"}, _STOCK_LEVEL),
    )


def typical(size: Size) -> dict[str, str]:
    """A value for each variable, to explain the statements with."""
    items = {f"i{n}": str(1 + n * size.items // (MOST_LINES + 1)) for n in _NUMBERS}
    quantities = {f"q{n}": "5" for n in _NUMBERS}
    middle, latest = str(size.customers // 2), str(size.customers)
    return {
        **items, **quantities, "lines": "10", "w": "1", "d": "1", "c_id": middle, "o_id": latest,
        "name": "1", "amount": "250000", "carrier": "5", "least": "15",
    }  # fmt: skip


def _nurand(spread: int, count: int) -> str:
    """The specification's NURand from 1 to `count` (clause 2.1.6), its constant C being 7."""
    return f"1 + ((random(0, {spread}) | random(1, {count})) + 7) % {count}"


def _name(size: Size) -> str:
    """Three digits, as the data have them."""
    return f"(random(0, 255) | random(0, {size.names - 1})) % {size.names}"


def _lines(size: Size) -> dict[str, str]:
    """Items and quantities; one order in a hundred is rolled back at its end."""
    items = {f"i{n}": _nurand(8191, size.items) for n in _NUMBERS}
    quantities = {f"q{n}": "random(1, 10)" for n in _NUMBERS}
    lines = f"random({FEWEST_LINES}, {MOST_LINES})"
    return {**items, **quantities, "lines": lines, "percent": "random(1, 100)"}


_NEW_ORDER = (
    "BEGIN;",
    Statement("warehouse", "SELECT w_tax FROM warehouse WHERE w_id = :w"),
    Statement("customer", f"SELECT c_discount, c_last, c_credit FROM customer WHERE {_CUSTOMER}"),
    Statement(
        "district",
        "UPDATE district SET d_next_o_id = d_next_o_id + 1"
        " WHERE d_w_id = :w AND d_id = :d RETURNING d_next_o_id - 1 AS o_id",
        writes=True,
        gset=True,
    ),
    Statement(
        "order",
        "INSERT INTO orders VALUES (:w, :d, :o_id, :c_id, CURRENT_TIMESTAMP, NULL, :lines, 1)",
        writes=True,
    ),
    Statement("new_order", "INSERT INTO new_order VALUES (:w, :d, :o_id)", writes=True),
    # Locked in the order of the items, so that two orders never wait for each other.
    Statement(
        "stock",
        "SELECT s_i_id, s_quantity FROM stock WHERE s_w_id = :w AND s_i_id IN"
        f" (SELECT item FROM {_WANTED} WHERE number <= :lines) ORDER BY s_i_id FOR UPDATE",
    ),
    Statement(
        "take",
        "UPDATE stock SET s_quantity = s_quantity - quantity"
        " + CASE WHEN s_quantity >= quantity + 10 THEN 0 ELSE 91 END,"
        " s_ytd = s_ytd + quantity, s_order_cnt = s_order_cnt + 1"
        f" FROM {_WANTED} WHERE s_w_id = :w AND s_i_id = item AND number <= :lines",
        writes=True,
    ),
    Statement(
        "lines",
        "INSERT INTO order_line SELECT :w, :d, :o_id, number, item, :w, NULL, quantity,"
        f" quantity * i_price, s_dist_:d FROM {_WANTED}"
        " JOIN item ON i_id = item JOIN stock ON s_w_id = :w AND s_i_id = item"
        " WHERE number <= :lines",
        writes=True,
    ),
    "\\if :percent = 1",
    "ROLLBACK;",
    "\\else",
    "COMMIT;",
    "\\endif",
)

_BY_NAME = (
    "\\if :percent <= 60",
    Statement(
        "by_name",
        "SELECT c_id FROM (SELECT c_id, row_number() OVER (ORDER BY c_first) AS place,"
        " count(*) OVER () AS many FROM customer WHERE c_w_id = :w AND c_d_id = :d"
        " AND c_last = 'NAME' || lpad(':name', 3, '0')) AS named WHERE place = (many + 1) / 2",
        gset=True,
    ),
    "\\endif",
)

_PAYMENT = (
    "BEGIN;",
    Statement(
        "warehouse",
        "UPDATE warehouse SET w_ytd = w_ytd + :amount / 100.0 WHERE w_id = :w"
        " RETURNING w_name, w_street_1, w_street_2, w_city, w_state, w_zip",
        writes=True,
    ),
    Statement(
        "district",
        "UPDATE district SET d_ytd = d_ytd + :amount / 100.0 WHERE d_w_id = :w AND d_id = :d"
        " RETURNING d_name, d_street_1, d_street_2, d_city, d_state, d_zip",
        writes=True,
    ),
    *_BY_NAME,
    Statement(
        "customer",
        "UPDATE customer SET c_balance = c_balance - :amount / 100.0,"
        " c_ytd_payment = c_ytd_payment + :amount / 100.0, c_payment_cnt = c_payment_cnt + 1,"
        " c_data = CASE WHEN c_credit = 'BC' THEN"
        " left(concat_ws(' ', c_id, c_d_id, c_w_id, :d, :w, :amount, c_data), 500)"
        f" ELSE c_data END WHERE {_CUSTOMER}",
        writes=True,
    ),
    Statement(
        "history",
        "INSERT INTO history VALUES"
        " (:c_id, :d, :w, :d, :w, CURRENT_TIMESTAMP, :amount / 100.0, 'payment')",
        writes=True,
    ),
    "COMMIT;",
)

_ORDER_STATUS = (
    "BEGIN;",
    *_BY_NAME,
    Statement("customer", f"SELECT c_first, c_last, c_balance FROM customer WHERE {_CUSTOMER}"),
    Statement(
        "order",
        "SELECT o_id FROM orders WHERE o_w_id = :w AND o_d_id = :d AND o_c_id = :c_id"
        " ORDER BY o_id DESC LIMIT 1",
        gset=True,
    ),
    Statement(
        "lines",
        "SELECT ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d FROM order_line"
        " WHERE ol_w_id = :w AND ol_d_id = :d AND ol_o_id = :o_id",
    ),
    "COMMIT;",
)

_DELIVERY = (
    Statement(
        "delivery",
        "WITH oldest AS (SELECT d, (SELECT min(no_o_id) FROM new_order"
        f" WHERE no_w_id = :w AND no_d_id = d) AS o FROM generate_series(1, {DISTRICTS}) AS d),"
        " taken AS (DELETE FROM new_order USING oldest"
        " WHERE no_w_id = :w AND no_d_id = d AND no_o_id = o RETURNING d, o),"
        " carried AS (UPDATE orders SET o_carrier_id = :carrier FROM taken"
        " WHERE o_w_id = :w AND o_d_id = d AND o_id = o RETURNING d, o_c_id),"
        " delivered AS (UPDATE order_line SET ol_delivery_d = CURRENT_TIMESTAMP FROM taken"
        " WHERE ol_w_id = :w AND ol_d_id = d AND ol_o_id = o RETURNING d, ol_amount),"
        " totals AS (SELECT d, sum(ol_amount) AS total FROM delivered GROUP BY d)"
        " UPDATE customer SET c_balance = c_balance + total, c_delivery_cnt = c_delivery_cnt + 1"
        " FROM carried JOIN totals USING (d)"
        " WHERE c_w_id = :w AND c_d_id = d AND c_id = o_c_id",
        writes=True,
    ),
)

_STOCK_LEVEL = (
    Statement(
        "stock_level",
        "SELECT count(DISTINCT s_i_id) FROM district"
        " JOIN order_line ON ol_w_id = d_w_id AND ol_d_id = d_id"
        " AND ol_o_id >= d_next_o_id - 20 AND ol_o_id < d_next_o_id"
        " JOIN stock ON s_w_id = ol_w_id AND s_i_id = ol_i_id"
        " WHERE d_w_id = :w AND d_id = :d AND s_quantity < :least",
    ),
)
