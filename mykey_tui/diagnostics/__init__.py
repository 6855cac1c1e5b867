"""The doctor 診断: what is wrong with this box, layer by layer, and the one next step."""
