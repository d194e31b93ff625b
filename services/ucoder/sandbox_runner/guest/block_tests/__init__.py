"""Block tests, run without the program: the judge, the proxies that stand for the program, and the replay on it."""
