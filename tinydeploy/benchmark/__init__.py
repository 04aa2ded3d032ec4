"""The benchmark: models x boards x engines, run, kept, and shown as tables and pictures.

``python -m tinydeploy.benchmark`` (``make bench``) runs it and brings docs/ and README.md up to date.
"""
