"""Measures the ratios that this project promises: `python -m bench`, see bench/README.md."""
