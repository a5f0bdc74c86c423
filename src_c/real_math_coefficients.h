/* The polynomials of real_math.h, made by tools/minimax.py: do not edit.
 *
 * Errors are weighted as real_math.h uses the polynomial: relative errors of the function it serves, before rounding.
 * No include guard: included once per dtype, from real_math.h.
 */
#if REAL_BITS == 64

/* (exp(r) - 1 - r) / r^2
 * on [-0.693216, 0.693216], degree 11, error 2^-56.5.
 * tools/minimax.py exp_tail */
INLINE real FN(exp_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.5e7010ba8bbb5p-33);
    p = p * x2 + (K(0x1.217a678b7e3a9p-29) * x + K(0x1.ae7129c7f06b3p-26));
    p = p * x2 + (K(0x1.27e1ca926d415p-22) * x + K(0x1.71de2a0d2333fp-19));
    p = p * x2 + (K(0x1.a01a0580dfb22p-16) * x + K(0x1.a01a01b22726p-13));
    p = p * x2 + (K(0x1.6c16c169c0f1fp-10) * x + K(0x1.11111111082f8p-7));
    p = p * x2 + (K(0x1.5555555556945p-5) * x + K(0x1.55555555555b6p-3));
    return p * x + K(0x1.ffffffffffff3p-2);
}

/* (exp(r) - 1 - r) / r^2
 * on [-0.346608, 0.346608], degree 9, error 2^-55.6.
 * tools/minimax.py expm1_tail */
INLINE real FN(expm1_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.ae97242858a75p-26);
    p = p * x2 + (K(0x1.28a16f4ea89acp-22) * x + K(0x1.71de67877c2b4p-19));
    p = p * x2 + (K(0x1.a019a7d540017p-16) * x + K(0x1.a01a0186b85ebp-13));
    p = p * x2 + (K(0x1.6c16c17ec5bbap-10) * x + K(0x1.1111111114e4ap-7));
    p = p * x2 + (K(0x1.5555555552279p-5) * x + K(0x1.555555555554fp-3));
    return p * x + K(0x1.0000000000005p-1);
}

/* (2 atanh(s) - 2 s) / s^3 as a function of z = s^2
 * on [0.0, 0.0294373], degree 6, error 2^-59.5.
 * tools/minimax.py log1p_tail */
INLINE real FN(log1p_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.2f037e750307cp-3) * x + K(0x1.39a1ee48fa561p-3);
    p = p * x2 + (K(0x1.74663cbc03b13p-3) * x + K(0x1.c71c521522f09p-3));
    p = p * x2 + (K(0x1.24924941e0839p-2) * x + K(0x1.999999997ff23p-2));
    return p * x + K(0x1.5555555555592p-1);
}

/* (tanh(x) / x - 1) / x^2 as a function of z = x^2
 * on [0.0, 0.390625], degree 10, error 2^-56.4.
 * tools/minimax.py tanh_small */
INLINE real FN(tanh_small)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.0d989dbf89d48p-16) * x + K(0x1.4389b231d0438p-14);
    p = p * x2 + (K(-0x1.df5233d8bb591p-13) * x + K(0x1.3365ab109a1b1p-11));
    p = p * x2 + (K(-0x1.7d689348fb732p-10) * x + K(0x1.d6cf2680de9c3p-9));
    p = p * x2 + (K(-0x1.226e161f97b8ap-7) * x + K(0x1.664f477a61b2fp-6));
    p = p * x2 + (K(-0x1.ba1ba1b503a89p-5) * x + K(0x1.111111110ac94p-3));
    return p * x + K(-0x1.55555555554ffp-2);
}

/* erf(x) / x - 1 as a function of z = x^2
 * on [0.0, 1.0], degree 11, error 2^-56.0.
 * tools/minimax.py erf_small */
INLINE real FN(erf_small)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.a2317da48e343p-31);
    p = p * x2 + (K(0x1.d3d9f48f1cf61p-27) * x + K(-0x1.5b8bf60db9b6ap-23));
    p = p * x2 + (K(0x1.b96b472177a67p-20) * x + K(-0x1.f4c82daa32a35p-17));
    p = p * x2 + (K(0x1.f9a296a30c1cfp-14) * x + K(-0x1.c02daeb67bd1ep-11));
    p = p * x2 + (K(0x1.565bcceed7de4p-8) * x + K(-0x1.b82ce311a9731p-6));
    p = p * x2 + (K(0x1.ce2f21a03f8b8p-4) * x + K(-0x1.812746b03799dp-2));
    return p * x + K(0x1.06eba8214db68p-3);
}

/* erfc(x)^(1/4) as a function of x - 1.5
 * on [-0.5, 4.45], degree 20, error 2^-57.1.
 * tools/minimax.py erfc_root */
INLINE real FN(erfc_root)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.a71353ecd7c52p-46) * x + K(0x1.a784236a53c38p-41);
    p = p * x2 + (K(-0x1.513541ef31c77p-37) * x + K(0x1.e2eda48658047p-35));
    p = p * x2 + (K(-0x1.88d2a6aa6fee6p-35) * x + K(-0x1.18a46a807a7f8p-30));
    p = p * x2 + (K(0x1.4cae509bdfe02p-29) * x + K(0x1.8ecefea58399fp-26));
    p = p * x2 + (K(-0x1.6d2f9b192cb7bp-24) * x + K(-0x1.1583ebeb0433bp-21));
    p = p * x2 + (K(0x1.751be9dd61dd7p-19) * x + K(0x1.184a57fee4a8cp-17));
    p = p * x2 + (K(-0x1.37d33d96843c9p-14) * x + K(-0x1.c054a400d2a2fp-16));
    p = p * x2 + (K(0x1.4767193f473efp-10) * x + K(-0x1.a4b7eb86b2f38p-10));
    p = p * x2 + (K(-0x1.9976857bc1603p-7) * x + K(0x1.0df534be4b3c3p-5));
    p = p * x2 + (K(0x1.1bf9c0fed9e9cp-4) * x + K(-0x1.816b095d576bfp-2));
    return p * x + K(0x1.b75f7f049192cp-2);
}

/* (Phi(x) - 1/2) / x as a function of z = x^2
 * on [0.0, 0.64], degree 9, error 2^-58.5.
 * tools/minimax.py normcdf_small */
INLINE real FN(normcdf_small)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.e2c5f624ae701p-34);
    p = p * x2 + (K(0x1.3ad01cf4abcc7p-29) * x + K(-0x1.626cfd56a320ap-25));
    p = p * x2 + (K(0x1.658e0db2ecbfep-21) * x + K(-0x1.3ce918147ce5p-17));
    p = p * x2 + (K(0x1.e42b0e549aac4p-14) * x + K(-0x1.37403f6e3949cp-10));
    p = p * x2 + (K(0x1.46d04297705aep-7) * x + K(-0x1.1058377e2cf75p-4));
    return p * x + K(0x1.9884533d43651p-2);
}

/* z exp(z^2/2) Phi(-z) as a function of w = (z - 2.0625)/(z + 4.0)
 * on [-0.263021, 0.858353], degree 20, error 2^-56.3.
 * tools/minimax.py normal_tail */
INLINE real FN(normal_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.3cba7ae22ab0bp-18) * x + K(-0x1.b333d73879f8bp-16);
    p = p * x2 + (K(0x1.93a634a49361dp-15) * x + K(-0x1.6a5c857787d57p-16));
    p = p * x2 + (K(-0x1.35cdeba14f568p-17) * x + K(-0x1.b07f1375315dep-15));
    p = p * x2 + (K(0x1.4159e13068d01p-17) * x + K(0x1.cdaa173eaa00dp-13));
    p = p * x2 + (K(0x1.1a79180ef6f06p-13) * x + K(-0x1.ae95168e2af78p-11));
    p = p * x2 + (K(-0x1.00f5d1783a10ep-10) * x + K(0x1.cc19768a7413ap-9));
    p = p * x2 + (K(0x1.280fa537cc9bp-8) * x + K(-0x1.4a618e1f5d717p-6));
    p = p * x2 + (K(-0x1.6a9f7926edbf2p-8) * x + K(0x1.11fc224f77cf6p-3));
    p = p * x2 + (K(-0x1.5be147d01aeb4p-2) * x + K(0x1.f080cd7ef5794p-2));
    p = p * x2 + (K(-0x1.c5f7e4c05dab4p-2) * x + K(0x1.f323d12082b86p-3));
    return p * x + K(0x1.5aec23084d8d6p-2);
}

/* (x - tanh(x)) / x^3 as a function of z = x^2
 * on [0.0, 1.44], degree 18, error 2^-54.0.
 * tools/minimax.py tanh_shrink_small */
INLINE real FN(tanh_shrink_small)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.cb104eff5da04p-32) * x + K(0x1.394405f18538cp-28);
    p = p * x2 + (K(-0x1.44589b2e8d848p-26) * x + K(0x1.16c92bc9b287ap-26));
    p = p * x2 + (K(0x1.bbf954c1f91c9p-23) * x + K(-0x1.619412c3f8547p-20));
    p = p * x2 + (K(0x1.495accb1a716p-18) * x + K(-0x1.e6401de79fbf9p-17));
    p = p * x2 + (K(0x1.40edc6320e0b3p-15) * x + K(-0x1.9424793d8d0bp-14));
    p = p * x2 + (K(0x1.f5001583c83b1p-13) * x + K(-0x1.354e643db6052p-11));
    p = p * x2 + (K(0x1.7da249c1bd5d5p-10) * x + K(-0x1.d6d3ba715ddadp-9));
    p = p * x2 + (K(0x1.226e34c6ee3b8p-7) * x + K(-0x1.664f487de058dp-6));
    p = p * x2 + (K(0x1.ba1ba1ba065c4p-5) * x + K(-0x1.1111111110feap-3));
    return p * x + K(0x1.5555555555555p-2);
}

/* (atan(t) / t - 1) / t^2 as a function of z = t^2
 * on [0.0, 0.25], degree 11, error 2^-57.8.
 * tools/minimax.py atan_tail */
INLINE real FN(atan_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.4b7c42dca0e0fp-7);
    p = p * x2 + (K(-0x1.c17a3abdce803p-6) * x + K(0x1.56f408e23922bp-5));
    p = p * x2 + (K(-0x1.a397c8b7c380bp-5) * x + K(0x1.dfe9550ea23cap-5));
    p = p * x2 + (K(-0x1.10f31c9d3efc6p-4) * x + K(0x1.3b113d855264dp-4));
    p = p * x2 + (K(-0x1.745cf4c7a9fafp-4) * x + K(0x1.c71c7090c8a75p-4));
    p = p * x2 + (K(-0x1.249249215d969p-3) * x + K(0x1.9999999991139p-3));
    return p * x + K(-0x1.5555555555516p-2);
}

/* (sin(r) / r - 1) / r^2 as a function of z = r^2
 * on [0.0, 0.654416], degree 5, error 2^-57.3.
 * tools/minimax.py sin_tail */
INLINE real FN(sin_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.5d58844d62801p-33);
    p = p * x2 + (K(-0x1.ae5d9bf72a3a7p-26) * x + K(0x1.71de34754d1c7p-19));
    p = p * x2 + (K(-0x1.a01a019ae86afp-13) * x + K(0x1.111111110ef42p-7));
    return p * x + K(-0x1.5555555555543p-3);
}

/* (cos(r) - 1 + r^2/2) / r^4 as a function of z = r^2
 * on [0.0, 0.654416], degree 5, error 2^-63.3.
 * tools/minimax.py cos_tail */
INLINE real FN(cos_tail)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.8f65943792041p-37);
    p = p * x2 + (K(0x1.1ee95d0bcb54ap-29) * x + K(-0x1.27e4f73515e32p-22));
    p = p * x2 + (K(0x1.a01a019b8760ep-16) * x + K(-0x1.6c16c16c14567p-10));
    return p * x + K(0x1.5555555555546p-5);
}

/* (cos(x) - sin(x) / x) / x^2 as a function of z = x^2
 * on [0.0, 1.0], degree 6, error 2^-54.0.
 * tools/minimax.py sinc_slope */
INLINE real FN(sinc_slope)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.7204e5657cc79p-37) * x + K(0x1.08d05148125fcp-29);
    p = p * x2 + (K(-0x1.0cfea44692d73p-22) * x + K(0x1.71de3a37eef73p-16));
    p = p * x2 + (K(-0x1.38138137fc427p-10) * x + K(0x1.1111111111035p-5));
    return p * x + K(-0x1.5555555555555p-2);
}

#else

/* (exp(r) - 1 - r) / r^2
 * on [-0.693216, 0.693216], degree 5, error 2^-26.0.
 * tools/minimax.py exp_tail */
INLINE real FN(exp_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.9baf6p-13);
    p = p * x2 + (K(0x1.71bf88p-10) * x + K(0x1.1126dcp-7));
    p = p * x2 + (K(0x1.5549eep-5) * x + K(0x1.555514p-3));
    return p * x + K(0x1.00000cp-1);
}

/* (exp(r) - 1 - r) / r^2
 * on [-0.346608, 0.346608], degree 4, error 2^-26.1.
 * tools/minimax.py expm1_tail */
INLINE real FN(expm1_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.6b97fap-10) * x + K(0x1.122532p-7);
    p = p * x2 + (K(0x1.5556f6p-5) * x + K(0x1.5554b4p-3));
    return p * x + K(0x1.fffffep-2);
}

/* (ln(1 + f) - f + f^2/2) / f^3
 * on [-0.292893, 0.414214], degree 8, error 2^-30.3.
 * tools/minimax.py log1p_tail */
INLINE real FN(log1p_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.14711ep-4) * x + K(-0x1.ddffb6p-4);
    p = p * x2 + (K(0x1.e6bfa8p-4) * x + K(-0x1.fc28f6p-4));
    p = p * x2 + (K(0x1.233ba8p-3) * x + K(-0x1.555c44p-3));
    p = p * x2 + (K(0x1.99a476p-3) * x + K(-0x1.000006p-2));
    return p * x + K(0x1.555548p-2);
}

/* (ln(1 + t) - t) / t^2
 * on [0.0, 1.0], degree 8, error 2^-27.5.
 * tools/minimax.py log1p_unit */
INLINE real FN(log1p_unit)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.af549p-9) * x + K(0x1.491d02p-6);
    p = p * x2 + (K(-0x1.d6b4a6p-5) * x + K(0x1.b4afb6p-4));
    p = p * x2 + (K(-0x1.3a43bep-3) * x + K(0x1.934b6ap-3));
    p = p * x2 + (K(-0x1.ff23e8p-3) * x + K(0x1.554ddp-2));
    return p * x + K(-0x1.ffffd2p-2);
}

/* (tanh(x) / x - 1) / x^2 as a function of z = x^2
 * on [0.0, 0.390625], degree 4, error 2^-27.7.
 * tools/minimax.py tanh_small */
INLINE real FN(tanh_small)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.750cccp-8) * x + K(0x1.51f8ccp-6);
    p = p * x2 + (K(-0x1.b835a4p-5) * x + K(0x1.1106f6p-3));
    return p * x + K(-0x1.555532p-2);
}

/* erf(x) / x - 1 as a function of z = x^2
 * on [0.0, 1.0], degree 6, error 2^-29.4.
 * tools/minimax.py erf_small */
INLINE real FN(erf_small)(real x) {
    const real x2 = x * x;
    real p = K(0x1.4771fep-14) * x + K(-0x1.a3515ep-11);
    p = p * x2 + (K(0x1.53f224p-8) * x + K(-0x1.b7f71ap-6));
    p = p * x2 + (K(0x1.ce2ce6p-4) * x + K(-0x1.81273ep-2));
    return p * x + K(0x1.06eba8p-3);
}

/* erfc(x)^(1/4) as a function of x - 1.5
 * on [-0.5, 2.45], degree 8, error 2^-26.8.
 * tools/minimax.py erfc_root */
INLINE real FN(erfc_root)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.7b793ep-16) * x + K(-0x1.713b6ap-14);
    p = p * x2 + (K(0x1.4533fcp-10) * x + K(-0x1.9b17d6p-10));
    p = p * x2 + (K(-0x1.9983c2p-7) * x + K(0x1.0de702p-5));
    p = p * x2 + (K(0x1.1bf9a6p-4) * x + K(-0x1.816af6p-2));
    return p * x + K(0x1.b75f8p-2);
}

/* (Phi(x) - 1/2) / x as a function of z = x^2
 * on [0.0, 0.64], degree 4, error 2^-28.2.
 * tools/minimax.py normcdf_small */
INLINE real FN(normcdf_small)(real x) {
    const real x2 = x * x;
    real p = K(0x1.9e0ca6p-14) * x + K(-0x1.343976p-10);
    p = p * x2 + (K(0x1.46b204p-7) * x + K(-0x1.1057b8p-4));
    return p * x + K(0x1.988452p-2);
}

/* z exp(z^2/2) Phi(-z) as a function of w = (z - 1.5)/(z + 3.0)
 * on [-0.184211, 0.744318], degree 8, error 2^-26.6.
 * tools/minimax.py normal_tail */
INLINE real FN(normal_tail)(real x) {
    const real x2 = x * x;
    real p = K(-0x1.67f178p-8) * x + K(0x1.60307cp-7);
    p = p * x2 + (K(0x1.acba9cp-7) * x + K(-0x1.291cb6p-5));
    p = p * x2 + (K(-0x1.000b66p-4) * x + K(0x1.2fa2bcp-2));
    p = p * x2 + (K(-0x1.c5216ap-2) * x + K(0x1.44484p-2));
    return p * x + K(0x1.3c144p-2);
}

/* (x - tanh(x)) / x^3 as a function of z = x^2
 * on [0.0, 1.44], degree 8, error 2^-25.0.
 * tools/minimax.py tanh_shrink_small */
INLINE real FN(tanh_shrink_small)(real x) {
    const real x2 = x * x;
    real p = K(0x1.4e51dcp-15) * x + K(-0x1.4c8918p-12);
    p = p * x2 + (K(0x1.4723d6p-10) * x + K(-0x1.cfe108p-9));
    p = p * x2 + (K(0x1.23935p-7) * x + K(-0x1.66cc02p-6));
    p = p * x2 + (K(0x1.ba2becp-5) * x + K(-0x1.11116ep-3));
    return p * x + K(0x1.555556p-2);
}

/* (atan(t) / t - 1) / t^2 as a function of z = t^2
 * on [0.0, 0.25], degree 5, error 2^-31.7.
 * tools/minimax.py atan_tail */
INLINE real FN(atan_tail)(real x) {
    const real x2 = x * x;
    real p = K(0x1.3fd554p-5);
    p = p * x2 + (K(-0x1.480d4p-4) * x + K(0x1.c07268p-4));
    p = p * x2 + (K(-0x1.24503p-3) * x + K(0x1.999744p-3));
    return p * x + K(-0x1.555552p-2);
}

/* (sin(r) / r - 1) / r^2 as a function of z = r^2
 * on [0.0, 0.654416], degree 2, error 2^-27.6.
 * tools/minimax.py sin_tail */
INLINE real FN(sin_tail)(real x) {
    real p = K(-0x1.98d93cp-13) * x + K(0x1.1105fep-7);
    return p * x + K(-0x1.555542p-3);
}

/* (cos(r) - 1 + r^2/2) / r^4 as a function of z = r^2
 * on [0.0, 0.654416], degree 2, error 2^-32.5.
 * tools/minimax.py cos_tail */
INLINE real FN(cos_tail)(real x) {
    real p = K(0x1.998e54p-16) * x + K(-0x1.6c0aeep-10);
    return p * x + K(0x1.555548p-5);
}

/* (cos(x) - sin(x) / x) / x^2 as a function of z = x^2
 * on [0.0, 1.0], degree 3, error 2^-25.0.
 * tools/minimax.py sinc_slope */
INLINE real FN(sinc_slope)(real x) {
    const real x2 = x * x;
    real p = K(0x1.6e3ec4p-16);
    p = p * x2 + (K(-0x1.381c5ap-10) * x + K(0x1.11115p-5));
    return p * x + K(-0x1.555556p-2);
}

#endif
