"""fastnn under the names of other people's code.

    fastnn.compat.book       modules with the names and signatures of a textbook's own library
    fastnn.compat.sklearn    scikit-learn's multi-layer perceptrons, computing with fastnn.ops

Nothing here computes by itself what fastnn.ops computes; see docs/other-peoples-code.md for how to write such an
adapter.
"""
