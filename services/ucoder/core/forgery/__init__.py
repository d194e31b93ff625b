"""Decides whether a program can forge that a test passed which runs beside it, in the same interpreter.

Another whitelist than that of fork safety: a class with its own equality harms no neighbour, but makes any assert hold;
`sys.exit` or a write to another object's attribute may disturb a neighbour, but forges nothing. A program is believed
if both are true:

- *It has no means* (`means`): it reaches nothing but itself and what it is given, decides over no comparison,
  membership or truth that a test asks of a built-in value, ends no loop of the test by StopIteration, and reads no
  attributes by format strings.
- *The test's names are untouched* (`names`): it neither reads nor sets names that the test binds, it redefines no
  built-in function, library or helper that the test uses, and what the test catches is a class that does not catch
  failures of asserts.

`tests/security/test_believed_passes.py` has a cheat for each construct that these modules let through.
"""

from ucoder.core.forgery.means import has_no_means
from ucoder.core.forgery.names import leaves_names_alone

__all__ = ["has_no_means", "leaves_names_alone"]
