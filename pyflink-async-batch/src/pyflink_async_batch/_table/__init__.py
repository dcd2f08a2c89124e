"""What a job of SQL names and a worker has to find: imported by what such a job has pickled."""
