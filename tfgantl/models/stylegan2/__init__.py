"""StyleGAN2: a generator and a discriminator of small layers, see `tfgantl.models.specifications.stylegan2`."""
