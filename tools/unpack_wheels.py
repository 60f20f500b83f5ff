"""unpack_wheels.py FOLDER WHEEL...: headers and libraries of LibTorch, Arrow or CUDA from PyPI wheels, without their Python.

The CUDA runtime's and profiler's libraries go beside libtorch_cpu.so, which looks for them there. What a GPU needs
beside them goes into a folder that is called nvidia: libtorch_cuda.so looks for it under ../../nvidia.
"""

import os
import re
import shutil
import stat
import sys
import zipfile

KEEP = [
    (re.compile(r"torch/(include/.*)"), r"\1"),
    (re.compile(r"torch/(lib/(?!libtorch_python|libtorch_global_deps|libshm)[^/]*\.so[.\d]*)"), r"\1"),
    (re.compile(r"torch-[^/]*/licenses/(LICENSE|NOTICE)"), r"\1"),
    (re.compile(r"pyarrow/(include/(?:arrow(?!/python/)|parquet)/.*)"), r"\1"),
    (re.compile(r"pyarrow/(lib(?:arrow|parquet)\.so\.\d+)"), r"lib/\1"),
    (re.compile(r"pyarrow-[^/]*/licenses/(LICENSE.txt|NOTICE.txt)"), r"\1"),
    (re.compile(r"nvidia/cu13/(lib/lib(?:cudart|cupti)\.so[.\d]*)"), r"\1"),
]
KEEP_CUDA = [
    (re.compile(r"nvidia/((?:cu13|cudnn|cusparselt|nccl|nvshmem)/(?:lib/[^/]*\.so[.\d]*|include/.*))"), r"\1"),
    (re.compile(r"(nvidia_[^/]*\.dist-info)/(?:licenses/)?(License.*)"), r"licenses/\1/\2"),
]


def main(folder: str, wheels: list[str]) -> None:
    keep = KEEP_CUDA if os.path.basename(folder).startswith("nvidia") else KEEP
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for info in archive.infolist():
                for pattern, place in keep:
                    match = pattern.fullmatch(info.filename)
                    if match and not info.is_dir():
                        target = os.path.join(folder, match.expand(place))
                        os.makedirs(os.path.dirname(target), exist_ok=True)
                        with archive.open(info) as source, open(target, "wb") as sink:
                            shutil.copyfileobj(source, sink, 1 << 20)
                        os.chmod(target, stat.S_IMODE(info.external_attr >> 16) | 0o644)
                        break


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
