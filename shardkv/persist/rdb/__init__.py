"""The RDB format: files, streams and the payloads of DUMP, as bytes in and values out, and the other way round.

``reader.RdbReader`` and ``loader.RdbLoader`` take chunks of bytes, ``writer`` makes them, ``payload`` is DUMP and
RESTORE. Nothing here touches a file. What is read is never trusted: whatever the bytes are, the answer is a value or
an ``RdbFault``.
"""
