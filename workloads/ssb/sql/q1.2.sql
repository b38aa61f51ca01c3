-- Revenue that would be gained without certain discounts in a month
select sum(lo_extendedprice * lo_discount) as revenue
from lineorder, date
where lo_orderdate = d_datekey
  and d_yearmonthnum = {month}
  and lo_discount between {discount} - 1 and {discount} + 1
  and lo_quantity between {quantity} and {quantity} + 9
