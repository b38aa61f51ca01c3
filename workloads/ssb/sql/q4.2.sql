-- Profit of one region's trade in two years by supplier nation and category
select d_year, s_nation, p_category, sum(lo_revenue - lo_supplycost) as profit
from date, customer, supplier, part, lineorder
where lo_custkey = c_custkey
  and lo_suppkey = s_suppkey
  and lo_partkey = p_partkey
  and lo_orderdate = d_datekey
  and c_region = '{region}'
  and s_region = '{region}'
  and (d_year = {year} or d_year = {year} + 1)
  and (p_mfgr = '{mfgr1}' or p_mfgr = '{mfgr2}')
group by d_year, s_nation, p_category
order by d_year, s_nation, p_category
