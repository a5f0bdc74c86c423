"""The public test tools: they must accept what is right and name what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.testing import dense_values, gradcheck, kinks, layouts, max_ulp, special_values, ulp_distance

INF = np.inf


def test_ulp_distance():
    one, tiny, big = np.float32(1), np.float32(1e-45), np.finfo(np.float32).max
    above = np.nextafter(one, np.float32(2))
    pairs = np.array(
        [(one, one), (one, above), (above, one), (0, -0.0), (tiny, -tiny), (big, INF), (INF, INF), (-INF, INF)],
        np.float32,
    )
    np.testing.assert_array_equal(ulp_distance(pairs[:, 0], pairs[:, 1])[:7], [0, 1, 1, 0, 2, 1, 0])
    assert ulp_distance(*pairs[7]) == 2.0 * 0x7F800000
    assert ulp_distance(-INF, INF) == pytest.approx(2.0 * 0x7FF0000000000000)
    np.testing.assert_array_equal(ulp_distance([np.nan, np.nan, 1.0], [np.nan, 1.0, np.nan]), [0, INF, INF])
    assert max_ulp(np.ones(3), np.array([1, 1 + 2**-50, 1])) == 4
    assert max_ulp(np.ones((0, 3)), np.ones(3)) == 0
    with pytest.raises(TypeError, match="Received: float32 and float64"):
        ulp_distance(one, np.float64(1))


def test_gradcheck_finds_errors():
    x = np.array([[0.3, -1.2], [2.0, 0.7]])

    def wrong(dy, x):
        gradient = dy * np.cos(x)
        gradient[1, 0] *= 1.00001
        return gradient

    assert gradcheck(np.sin, [x], lambda dy, x: dy * np.cos(x)) < 1
    with pytest.raises(AssertionError, match=r"input 0 is wrong at 1 of 4 elements, worst at \(1, 0\)"):
        gradcheck(np.sin, [x], wrong)
    with pytest.raises(AssertionError, match=r"at 4 of 4 elements.*nan"):
        gradcheck(np.sin, [x], lambda dy, x: dy * np.nan)
    with pytest.raises(AssertionError, match="must have its shape"):
        gradcheck(np.sin, [x], lambda dy, x: (dy * np.cos(x)).sum(axis=0))
    with pytest.raises(AssertionError, match="one gradient per input"):
        gradcheck(np.matmul, [x, x], lambda dy, a, b: [dy @ b.T])
    with pytest.raises(TypeError, match="Received: w of dtype float32"):
        gradcheck(np.sin, [x.astype(np.float32)], lambda dy, x: dy, names=["w"])
    gradcheck(np.matmul, [x, x + 1], lambda dy, a, b: (dy @ b.T, a.T @ dy))
    gradcheck(
        lambda x, k: x[k].sum(), [x, np.array([1, 1])], lambda dy, x, k: (np.array([[0, 0], [2 * dy, 2 * dy]]), None)
    )


def test_cases():
    for name, array in layouts(dense_values(np.float32, 24).reshape(2, 3, 4)):
        np.testing.assert_array_equal(array, dense_values(np.float32, 24).reshape(2, 3, 4), err_msg=name)
        flags = array.flags
        assert flags.c_contiguous == (name in ("contiguous", "unaligned", "byteswapped", "readonly")), name
        assert (flags.aligned, flags.writeable) == (name != "unaligned", name != "readonly"), name
        assert array.dtype.isnative == (name != "byteswapped")
    for shape in ((), (0,), (0, 4)):
        assert [a.shape for _, a in layouts(np.ones(shape))] == [shape] * 7
    for dtype in (np.float32, np.float64):
        values = special_values(dtype)
        assert values.dtype == dtype
        assert len({v.tobytes() for v in values}) == len(values) == 19
        assert np.isfinite(dense_values(dtype)).all()
        assert dense_values(dtype).shape == (4096,)
        assert {0.0, 1.0, np.nextafter(dtype(0), dtype(1))} <= set(kinks(dtype).tolist())
