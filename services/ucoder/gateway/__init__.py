"""The HTTP servers for other systems. Today that is an OpenAI-compatible proxy, which answers with the best of n."""
