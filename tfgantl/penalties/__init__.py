"""What transfer methods add to a loss: distances from what the source knew, and how much each weight matters."""
