-- Revenue that would be gained without certain discounts in a week
select sum(lo_extendedprice * lo_discount) as revenue
from lineorder, date
where lo_orderdate = d_datekey
  and d_weeknuminyear = {week}
  and d_year = {year}
  and lo_discount between {discount} - 1 and {discount} + 1
  and lo_quantity between {quantity} and {quantity} + 9
