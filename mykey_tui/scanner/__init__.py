"""Scanners that are no keyboards to this program: on a serial port, or read as an input device."""
