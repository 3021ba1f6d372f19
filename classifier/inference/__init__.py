"""From canonical pixels to a decision: preprocessing, engines, OOD detection, calibration, saliency, model cards."""
