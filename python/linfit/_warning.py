class FitWarning(UserWarning):
    """Something that does not stop a fit but that its user should know."""
