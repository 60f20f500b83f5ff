"""server.py MODEL.gguf PORT: llama.cpp's own HTTP server with its own defaults, until its standard input ends."""
import sys

import xllamacpp

settings = xllamacpp.CommonParams()
settings.model.path = sys.argv[1]
settings.port = int(sys.argv[2])
settings.n_parallel = 4
settings.n_ctx = 4 * 512
settings.n_gpu_layers = 0
settings.cpuparams.n_threads = 1
settings.warmup = False
# Keys and values as exact as everything else: in 16 bits two tokens that are equally probable may change places.
settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
server = xllamacpp.Server(settings)
print("listening", flush=True)
sys.stdin.read()
