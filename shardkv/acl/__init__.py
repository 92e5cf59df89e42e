"""Who may do what: users, the rules that make them, and the log of refusals.

A *user* has selectors, the first of which (the root) always exists. A *selector* is a set of commands, of key patterns
and of channel patterns; a request is allowed if one selector allows all of it. Rules are the words of ACL SETUSER.

Nothing here knows a client or a declared command: the names and categories of commands come as a ``Catalog``, the keys
and channels of a request as positions in its words.
"""
