"""PSNR, SSIM, comparisons and the report page."""
