"""The dense model that the study of Switch Transformers starts from."""
