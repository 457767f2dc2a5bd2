"""The page in a browser: the tasks as forms, their events as they come. Knows tasks and run folders, and no method."""
