"""From segmented frames to outputs: resequence, smooth, matte, draw effects, write."""
