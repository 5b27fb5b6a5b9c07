"""FastGAN: a generator whose small maps scale the channels of large ones, and a discriminator that reconstructs."""
