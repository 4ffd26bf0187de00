"""Generations of one FAISS index on disk.

factory       which kind of index suits how many vectors
manifest      what a generation says about itself
pointer       CURRENT, the file that names the served one
durable       files that survive a power cut; the writer's lock
stored        what was written as a file, and the proof that the file holds it
layout        how an index lies in its file
lists         the kind for millions, which looks into the nearest lists only
build         a new index from a stream
update        the served index with what changed
generations   publish, fall back, sweep
reader        search while all of that goes on
"""
