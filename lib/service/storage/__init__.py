"""All SQL, and nothing but SQL: one module per noun, functions that take a connection."""
