"""Every number that is compared with, in one table, beside where it comes from.

"here": chosen on the calibration runs of `python -m benchmarks.diagnosis`, which share neither data sets nor seeds with those that
precision and recall are reported on. SMD: Amazon SageMaker Debugger's built-in rules. Where a published number is not taken as it
is, the reason stands beside it.
"""

import math

# Measuring
FIXED_ROWS = 128  # training rows of the pass after each epoch: 1.3 % of the work of an epoch of 3,200 rows
END_ROWS = 1000  # rows that scores at the end are taken over: a standard error of one point at nine tenths right
MOST_BETWEEN_ROWS = 20  # updates between two rows of the trace: 2 % of the time (research/training.md 4d)
LEAST_ROWS = 50  # of the trace in a training, which decides for fewer updates between them where the training is short
SATURATED_AT = 0.95  # of the range of tanh or sigmoid, where the slope is below a tenth of that in the middle

# The data
INPUT_SIZE = 5.0  # root mean square of what the first layer sees. UMLAUT asks for [−1, 1], which standardized columns leave
INPUT_SMALL = 0.01  # as above: 1/255 twice gives at most 0.004, pixels from 0 to 1 of real images at least 0.1
SPREADS_APART = 100.0  # largest by median spread of the features: one column in other units drowns the others. here
NO_SPREAD = 1e-6  # of a feature that never changes, but for rounding
CONSTANT_SHARE = 0.65  # of the features; the border of MNIST never changes, which is a third of it. here
SHARED_SHARE = 0.1  # of the validation rows; tables of few distinct values share some by chance. here
CLASS_RATIO = 10.0  # commonest by rarest class: SMD ClassImbalance
HALF_WIDTH = 0.1  # of the 95 % interval of a validation accuracy of 0.9, as a difference worth looking for: below 35 rows
LABEL_Z = 3.0  # standard errors by which labels of neighbours agree more than by chance; one data set in 740 is below without reason
LABEL_KAPPA = 0.2  # of the agreement that chance leaves open (Cohen's kappa): "slight" ends there (Landis and Koch 1977)
SCATTERED = 0.15  # share of label noise by the evenness of the mistakes of neighbours and network. here

# The fresh network
TWIN_SHARE = 0.99  # of the columns of a kernel that equal another: symmetry that no gradient breaks
WEIGHTS_LARGE = 5.0  # deviation of a kernel by He's or Glorot's; Keras' own initializers stay within 3.4 of it. here
WEIGHTS_LARGE_AND_LOUD = 2.5  # as above, where the loss starts far above ln C as well. here
WEIGHTS_SMALL = 0.02  # as above
LEAST_WEIGHTS = 16  # of a kernel: below, chance moves the deviation of its weights, 1/√(2n) of it, by more than a sixth
START_LOSS = 2.0  # loss before the first update by ln C: TheDeepChecker's relative deviation of 1
RECURRENT_GAIN = 3.0  # an orthogonal kernel stretches by 1, a Glorot one by about 1.3
REACH_MARGIN = 0.05  # of the range of the targets that the output may miss at either end

# The fit
BATCH_SMALL = 2  # rows; the noise of a gradient of one row is as large as the spread of the rows
BATCH_SHARE = 0.25  # of the training rows in a batch: at most four updates an epoch
MOMENTUM_HIGH = 0.995  # the step becomes 1 / (1 − momentum) = 200 times as long
DROPOUT_HIGH = 0.8  # NeuraLint warns above 0.6, which wide layers bear
DROPOUT_WITH_HARM = 0.6  # NeuraLint's, where training rows are told badly as well
EPSILON_BY_GRADIENT = 10.0  # epsilon by the mean gradient: Adam's denominator no longer adapts
RATE_DEAD = 0.01  # of the highest learning rate: research/training.md C6
LEAST_EPOCHS = 5  # of which a share can be spoken of
RATE_DEAD_SHARE = 0.4  # of the epochs; a cosine spends 6 % there, a step schedule none. here
LEARNT = 0.995  # of the training rows: there is nothing left that a longer training could learn from them
ROTATION_WIDE, SHIFT_WIDE, ZOOM_WIDE = 45.0, 0.25, 0.4  # degrees, share of the side: beyond, digits and clothes become others
AUGMENTATION_GAP = 0.1  # by which rows are told better without their augmentation. here
STEP_SMALL = 1e-4  # ‖Δw‖ / ‖w‖ of an update: TheDeepChecker's lower limit; a thousandth is usual
STEP_USUAL = 1e-3  # as above: what is usual, and too short for a loss that falls steadily and has not come far. here
MANY_EPOCHS, STEADY_SHARE = 10, 0.9  # epochs, and the share of them in which the loss has fallen. here
STEP_LARGE = 0.1  # its upper limit

# The gradients
GRADIENT_RATIO_LOW = 1e-3  # norm at the first by that at the last layer: AutoTrainer β₁
GRADIENT_RATIO_LOW_AND_STUCK = 0.03  # as above, where training rows are told no better than by chance. here
GRADIENT_RATIO_HIGH = 70.0  # AutoTrainer β₃
GRADIENT_HUGE = 1e6  # mean |g|: TheDeepChecker

# The units
DEAD_SHARE = 0.5  # of the units of a layer active on less than 1 % of the rows: SMD DeadRelu
SATURATED_SHARE = 0.5  # of the activations of a layer: SMD SaturatedActivation
ALIKE = 1e-3  # deviation over rows by overall size: the layer says the same of every row. here

# The curves
POOR = 0.03  # of accuracy below what neighbours or ridge regression reach, beside two standard errors. here
POOR_R2 = 0.1  # as above, of R²
FAR_BELOW = 3.0  # times that, where no cause is found: one healthy calibration run in fifty was poor. here
TELLS_NOTHING_Z = 3.0  # standard errors above chance that a training score must have
RISES = 1.5  # loss by that before the first update: SMD's 5 % in 10 steps fires on every warm-up. here
STILL_FALLING = 0.05  # of the loss over the last tenth of the epochs (at least one): TheDeepChecker's least drop of a window
LEAST_UNITS = 4  # of a hidden layer; two can hold ten classes on a circle, but no training finds that. here
FEW_UPDATES = 200  # of a whole training. here
STILL_FALLING_FAST = 0.25  # in the last one of a handful of epochs. here
OVERFIT_GAP = 0.1  # of accuracy: AutoTrainer (0.10, or 0.07 above 0.9)
OVERFIT_GAP_ALONE = 0.25  # as above, whatever the validation loss does. here
OVERFIT_RISE = 1.2  # validation loss at the end by its lowest. here
PENALTY_BY_LOSS = 1.0  # before the first update: then small weights are worth more than right answers
PENALTY_BY_LOSS_ALONE = 3.0  # as above, where training rows are told well nevertheless. here

NORMAL_95 = 1.959964
LEAST_VALIDATION = math.ceil(0.9 * 0.1 * (NORMAL_95 / HALF_WIDTH) ** 2)  # rows: n = p (1 − p) (z / δ)²
