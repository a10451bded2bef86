"""Where passages live: FAISS in files of this machine, Milvus beyond one machine."""
