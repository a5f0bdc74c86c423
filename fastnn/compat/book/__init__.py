"""The functions, layers and optimizers of the book "Deep Learning from Scratch", computing with fastnn.ops.

The classes and functions have the names, signatures and attributes that the code of the book has (Saito Goki, "Deep
Learning from Scratch", O'Reilly Japan, 2016, and its second volume, 2018), so that networks written with it run faster
after one change:

    from common.layers import Affine, Relu, SoftmaxWithLoss              before
    from fastnn.compat.book.layers import Affine, Relu, SoftmaxWithLoss  after

====================  ==============================================================================================
module                contents
====================  ==============================================================================================
``functions``         identity_function, step_function, sigmoid, relu, softmax, their gradients, and the losses
``layers``            Relu, Sigmoid, Affine, SoftmaxWithLoss, Dropout, BatchNormalization, Convolution, Pooling
``time_layers``       of the second volume: RNN, LSTM, GRU, Embedding, TimeRNN, TimeLSTM, TimeGRU, TimeEmbedding,
                      TimeAffine, TimeDropout, TimeSoftmaxWithLoss
``optimizer``         SGD, Momentum, Nesterov, AdaGrad, RMSprop, Adam
``gradient``          numerical_gradient
``util``              smooth_curve, shuffle_dataset, im2col, col2im
====================  ==============================================================================================

The formulas are the book's: log(p + 1e-7) in the cross-entropy, a ReLU whose gradient function is 1 at 0 (but whose
layer has gradient 0 there), dropout that scales at inference, batch normalisation per element of an image.  Random
numbers come from ``np.random``, in the order in which the book draws them.  Three things are different: nothing warns,
results of float32 arrays are float32 throughout, and no layer changes the arrays that it is given.
"""
