"""Where do the words of other companies end? Each adapter keeps one service's API and its errors to itself."""
