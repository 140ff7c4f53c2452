"""What the numbers mean: signals, how they are binned and compared, how right the model is, and whether the world has changed.

Rule: imports `models` only. The core is pure (no clock, file, network or randomness that was not handed in):
`arrays`, `signals`, `pixels`, `binning`, `reference`, `psi`, `wilson`, `confusion`, `layout`, `windows`, `state`, `receipt`, `view`.
Around it, thin files do the I/O: `shared_counts`, `recorder`, `label_log`, `secret`, `watch`, `exporter`.
"""
