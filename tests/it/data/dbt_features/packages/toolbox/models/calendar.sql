select 1 as day, '{{ toolbox.mode() }}' as mode
