"""The colours of all plots: those of the report, of `ucoder compare` and of the development tools."""

BLUE, ORANGE, GREY, GREEN, RED, PURPLE = "#2563eb", "#ea580c", "#6b7280", "#16a34a", "#dc2626", "#9333ea"
