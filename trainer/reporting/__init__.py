"""What a run tells while it trains, and what it says of itself at its end."""
