"""The words of the business: values and rules, no input or output, standard library only."""
