"""A package, unlike the other folders of tests: its browser and its consoles live exactly as long as the tests in it."""
