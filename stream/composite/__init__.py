"""What is made of segmented frames: in order, steadied, matted, dressed, and handed to the outputs."""
