"""Image quality: PSNR and SSIM."""
