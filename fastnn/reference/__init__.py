"""The readable statement of every operation, in NumPy alone.

Each formula of fastnn is stated twice: in a row of the compiled tables, which is fast, and here, which is meant to
be read.  The two are written independently of each other, and the tests compare them; so this package is the test
oracle, the benchmark's baseline and the source of the public documentation at once.

=====================  ==============================================================================
module                 contents
=====================  ==============================================================================
``activations``        relu, sigmoid, gelu ..., forward and backward, one module for each family
``losses``             element-wise losses and their derivatives
``cross_entropy``      losses of rows of class predictions, from logits and from probabilities
``rows``               softmax, log-softmax, log-sum-exp
``simplex``            softmin, sparsemax, gumbel-softmax
``learned``            activations with learned parameters: prelu, srelu, apl ...
``gates``              the gated linear units, maxout
``affine``             matrix product, bias, column sums
``attention``          dot-product and additive attention, masks
``windows``            a window that slides over images
``convolution``        convolution, its gradients (one is the transposed convolution), im2col
``pooling``            max and average pooling
``normalization``      batch, layer, group, root mean square, unit and local response normalisation
``optimizers``         one step of sgd, momentum, adam ...
``clipping``           gradients limited by value and by norm
``random``             Philox random bits, dropout
``noise``              alpha dropout, dropped channels, Gaussian noise
``random_relu``        ReLU with random slopes
``kernels``            all of it behind the interface of the compiled kernels (the "reference" backend)
=====================  ==============================================================================

Functions take and return arrays of float32 or float64 and never change their arguments.  Nothing but NumPy is
imported.
"""
