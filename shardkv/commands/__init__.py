"""The commands. Importing the package fills ``spec.TABLE``; each room is named here once."""

from __future__ import annotations

from . import acl as acl
from . import append_only as append_only
from . import bitfields as bitfields
from . import bitmaps as bitmaps
from . import client as client
from . import client_list as client_list
from . import cluster as cluster
from . import commandlog as commandlog
from . import config_commands as config_commands
from . import connection as connection
from . import debug as debug
from . import dump as dump
from . import expiry as expiry
from . import functions as functions
from . import geo as geo
from . import hash_expiry as hash_expiry
from . import hash_extended as hash_extended
from . import hashes as hashes
from . import hyperloglog as hyperloglog
from . import introspect as introspect
from . import keys as keys
from . import latency as latency
from . import lcs as lcs
from . import list_blocking as list_blocking
from . import list_moves as list_moves
from . import lists as lists
from . import lolwut as lolwut
from . import memory as memory
from . import migrate as migrate
from . import modules as modules
from . import monitor as monitor
from . import object as object
from . import persistence as persistence
from . import pubsub as pubsub
from . import replication as replication
from . import scan as scan
from . import scripting as scripting
from . import server as server
from . import set_algebra as set_algebra
from . import sets as sets
from . import slot_migration as slot_migration
from . import slot_stats as slot_stats
from . import slowlog as slowlog
from . import sort as sort
from . import stream_claims as stream_claims
from . import stream_groups as stream_groups
from . import stream_info as stream_info
from . import stream_pending as stream_pending
from . import stream_reading as stream_reading
from . import streams as streams
from . import string_counters as string_counters
from . import strings as strings
from . import tracking as tracking
from . import transactions as transactions
from . import zset_algebra as zset_algebra
from . import zset_blocking as zset_blocking
from . import zset_pops as zset_pops
from . import zset_ranges as zset_ranges
from . import zsets as zsets

from . import help as help  # isort: skip  # last: it gives every container declared above its HELP
