"""The pages: views that parse, call one service and render."""
