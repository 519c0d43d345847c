"""Black, Sharkey et al. (2022): the runs that judge the polytope lens, and its page."""
