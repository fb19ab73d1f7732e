{{ config(materialized='ephemeral') }}
with b as (select * from {{ ref('eph_base') }})
select * from b
