"""The Inception network of 2015, on whose features FID, KID and the Inception score are defined."""
