def fit_source():
    pass
