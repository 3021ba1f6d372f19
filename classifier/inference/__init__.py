"""From canonical pixels to a decision: preprocessing, engines, calibration, refusal, saliency, models."""
