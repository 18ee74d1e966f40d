"""Keys and certificates: made, issued, read and compared."""
