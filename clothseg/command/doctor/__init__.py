"""`clothseg doctor`: what this machine has, what of it a stream can use, and what to do about what is missing.

finding        what a probe says
software       Python, packages, extras
processor      instruction sets, cores, memory, the engine that is chosen
surroundings   codecs, cameras, display, ports, folders
command        asks all of them and prints the table
"""
