"""The paper's Boolean experiments, run again and judged cell by cell."""
