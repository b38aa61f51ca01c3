from llmtune.model.dataset import Pair, write_pairs, read_pairs
