"""Data protocols, training, calibration and evaluation of the models. Nothing here imports Django."""
