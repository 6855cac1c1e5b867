"""The use cases: the steps of one visit, without any screen."""
