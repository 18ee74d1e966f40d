"""What pyinfra reads of a host: one composite report, and a few small facts."""
