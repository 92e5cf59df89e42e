"""Lua: the sandbox, the `redis` table, replies across the border, scripts and libraries of functions."""
