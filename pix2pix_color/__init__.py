"""Pix2pix for color: a U-Net learns to predict a*b* of a photograph from L*."""
