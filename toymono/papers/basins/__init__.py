"""What readers asked under the paper: do mono- and polysemantic models lie in different basins."""
