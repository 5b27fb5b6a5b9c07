"""A server for development that speaks the REST API of TensorFlow Serving. It is not TensorFlow Serving."""
