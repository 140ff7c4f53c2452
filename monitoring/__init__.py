"""What the numbers mean: signals, how they are counted and compared, how right the model is, and whether the world has changed.

Rule: imports `models` only. Data flows one way: `signals` are measured against a `reference` and become `counts`; a tick (`watch`) adds
them to the `track` of a `subject`, in `windows`; `drift` and `accuracy` say what the numbers mean, `incidents` what to do; `view` and
`export` show it. All is pure (no clock, file, network or randomness that was not handed in) but `watch`, `commands`,
`incidents.files` and, in `counts`, the memory, the logs and the recorder.
"""
