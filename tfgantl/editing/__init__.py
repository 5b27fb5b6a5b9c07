"""The generator as a tool: codes of pictures, directions, switches of class, and restoration with the GAN as prior."""
