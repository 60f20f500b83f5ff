# Defines plumb::torch from LibTorch in PLUMB_LIBTORCH or on CMAKE_PREFIX_PATH.
#
# LibTorch's own CMake package is not used: the wheel's wants a CUDA toolkit. Only torch_cpu and c10 are linked, so one
# binary serves CPU and GPU. fmt is header-only here, because LibTorch's include folder carries a newer fmt than the
# system's library.

foreach(found IN ITEMS PLUMB_LIBTORCH_INCLUDE PLUMB_LIBTORCH_CPU PLUMB_LIBTORCH_C10)
  if(${found} AND NOT EXISTS "${${found}}")  # LibTorch was moved since the last time
    unset(${found} CACHE)
  endif()
endforeach()
find_path(PLUMB_LIBTORCH_INCLUDE ATen/core/Tensor.h PATHS "${PLUMB_LIBTORCH}/include" NO_DEFAULT_PATH)
find_library(PLUMB_LIBTORCH_CPU torch_cpu PATHS "${PLUMB_LIBTORCH}/lib" NO_DEFAULT_PATH)
find_library(PLUMB_LIBTORCH_C10 c10 PATHS "${PLUMB_LIBTORCH}/lib" NO_DEFAULT_PATH)
find_path(PLUMB_LIBTORCH_INCLUDE ATen/core/Tensor.h)
find_library(PLUMB_LIBTORCH_CPU torch_cpu)
find_library(PLUMB_LIBTORCH_C10 c10)
mark_as_advanced(PLUMB_LIBTORCH_INCLUDE PLUMB_LIBTORCH_CPU PLUMB_LIBTORCH_C10)

set(PlumbTorch_FOUND FALSE)
if(PLUMB_LIBTORCH_INCLUDE AND PLUMB_LIBTORCH_CPU AND PLUMB_LIBTORCH_C10)
  set(PlumbTorch_FOUND TRUE)
  set(numbers)
  set(header "${PLUMB_LIBTORCH_INCLUDE}/torch/headeronly/version.h")
  if(EXISTS "${header}")
    file(STRINGS "${header}" numbers REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  endif()
  list(TRANSFORM numbers REPLACE "[^0-9]" "")
  list(JOIN numbers "." PlumbTorch_VERSION)
endif()

if(PlumbTorch_FOUND AND NOT TARGET plumb::torch)
  foreach(library IN ITEMS cpu c10)
    string(TOUPPER ${library} upper)
    add_library(plumb::torch_${library} SHARED IMPORTED GLOBAL)
    set_target_properties(plumb::torch_${library} PROPERTIES IMPORTED_LOCATION "${PLUMB_LIBTORCH_${upper}}")
  endforeach()
  add_library(plumb::torch INTERFACE IMPORTED GLOBAL)
  target_link_libraries(plumb::torch INTERFACE plumb::torch_cpu plumb::torch_c10)
  target_include_directories(plumb::torch SYSTEM INTERFACE
    "${PLUMB_LIBTORCH_INCLUDE}" "${PLUMB_LIBTORCH_INCLUDE}/torch/csrc/api/include")
  # With it <ATen/TensorOperators.h> (a + b, a * b …) costs a second or two; without it, every operator of ATen.
  target_compile_definitions(plumb::torch INTERFACE FMT_HEADER_ONLY AT_PER_OPERATOR_HEADERS)
endif()
