"""The log of writes (AOF): its records, the list of its files, when it is written and brought to disk, and when it is
written anew. Bytes, decisions and a clock as an argument; whoever has the files is ``shardkv_node.aof``.
"""
