"""Video files: true frames at true times, and the face that is seen in each of them."""
