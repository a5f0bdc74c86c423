"""Tests against other libraries; a package, because its files are named like those of tests/ itself."""
