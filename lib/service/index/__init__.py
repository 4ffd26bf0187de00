"""Generations of one FAISS index on disk, and what is beside them: copies, samples, strange files, the map.

factory       which kind of index suits how many vectors
manifest      what a generation says about itself
pointer       CURRENT, the file that names the served one
durable       files that survive a power cut; the writer's lock
stored        what was written as a file, and the proof that the file holds it
layout        how an index lies in its file
lists         the kind for millions, which looks into the nearest lists only
build         a new index from a stream
update        the served index with what changed
publication   one publish under way
generations   which there are; publish, fall back, sweep
mapped        one file, mapped and asked for what is nearest
reader        search while all of that goes on
health        what is odd about a generation, and how much of what is there it finds
saved         a copy of a generation; bundle: the same as one file
quarantine    where a file from outside lies until it has proved harmless; sandbox: the process that reads it
shadow        a small index of a sample, for a rehearsal
maps          the served vectors on a plane; map_layout: where each of them stands
"""
