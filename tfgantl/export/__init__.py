"""From trained models to SavedModels that TensorFlow Serving can load."""
