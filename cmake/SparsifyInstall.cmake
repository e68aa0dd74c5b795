# Installation arrives with the pieces it installs.
