"""Switchyard: contract, client, ui, service. Who may import whom is kept by tests/test_architecture.py."""
