"""What is known about a zoo, as screens: pure functions of facts, which the terminal program shows and ``zoo ui
--plain`` prints."""
