"""All SQL of the store, written once for both engines, one module for each port.

`:name` is a parameter. Two words are the drivers' business: `FOR UPDATE ...` is dropped on SQLite, whose writers wait for one
another anyway, and `json_each(:name)` is spelled otherwise on PostgreSQL. `CAST(:name AS ...)` gives a parameter a type where
PostgreSQL can't infer it.
"""
