"""Tokens: every way to get, inspect, use up and lose an access token."""
