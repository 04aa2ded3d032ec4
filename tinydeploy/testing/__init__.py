"""Running devices for tests: what the fixture `deployment` of the pytest plugin gives, and what its failures say."""
