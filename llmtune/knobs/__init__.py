"""The knob catalogue, configurations, levels and hardware: pure."""
