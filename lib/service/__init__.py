"""The operations service: everything that knows the database, the engine, the workers and the index.

Modules import only from below; tests/test_architecture.py holds the order.
"""
