"""An inspection of a built Bento -> a bundle. Pure: what runs the Bento's code and reads its files comes in as arguments."""
