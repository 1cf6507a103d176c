"""Shared by sources and sinks: addresses, SRT, and pictures to and from PyAV."""
