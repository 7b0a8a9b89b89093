"""Switch Transformers whose experts are chosen by any router of gmoe."""
