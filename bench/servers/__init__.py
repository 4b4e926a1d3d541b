"""The processes that a bench starts. Each prints `READY <url>` when it answers; loops then read seconds from stdin."""
