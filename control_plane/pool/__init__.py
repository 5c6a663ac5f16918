"""The pooled hardware as operators see and change it: hosts, certificate, and what would fit."""
