"""The numbers in the rules of the page pipeline, one record for each stage; the rules are given them.

A field says its unit, where its value comes from, and which bench, or else which test, would notice if it were wrong.
*Chosen on the 100 sample pages*: part of a set that came in with a gain measured there. *By eye, not tuned*: chosen on
single documents; what is named after it would show a mistake, but nobody has looked for the best value. *A bound*:
keeps time or memory within limits and is no matter of quality.
"""
