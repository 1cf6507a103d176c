"""What a garment is: the network, its masks over time and at full size, and what is drawn on them."""
