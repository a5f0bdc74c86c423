"""The engine: parameters in one arena, a training step as data (a plan), and the program that runs it."""
