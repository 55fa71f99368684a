"""Inputs that a machine makes up, guided by what of our code they reach."""
