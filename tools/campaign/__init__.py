"""Faults done to a running pipeline on purpose: outages, kills, broken links, hostile messages, visitors and disks."""
