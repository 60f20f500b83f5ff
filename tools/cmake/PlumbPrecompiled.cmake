# Precompiled headers: what most sources of a kind include, parsed once. They only save time: every source includes what
# it uses, and the `asan` build, which takes none, would not compile otherwise.
#
#   plumb_pch_sdk           the standard library's containers, for the SDK and for plugins that see no tensors
#   plumb_pch_core          the same with fmt, for the libraries above
#   plumb_pch_torch         the same with ATen's tensors and autograd's functions
#   plumb_pch_test          Boost.Test, for test programs
#   plumb_pch_test_torch    Boost.Test and ATen's tensors
#
# plumb_use_pch(TARGET NAME) lets a target use one, plumb_plugin_pch(TARGET) a plugin of this repository its own. Test
# programs and what they are precompiled with are not optimised: that takes a third of their compile time, and the code
# under test is optimised in its own library.

set(plumb_standard_headers <algorithm> <filesystem> <functional> <map> <memory> <optional> <set> <string> <string_view>
    <utility> <vector>)
set(plumb_tensor_headers <ATen/core/Tensor.h> <ATen/TensorOperators.h>)
set(PLUMB_TEST_OPTIONS)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT PLUMB_SANITIZE)
  set(PLUMB_TEST_OPTIONS -O0)
endif()

file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/precompiled.cpp" CONTENT "// Carries a precompiled header.\n")
function(plumb_pch name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TESTS" "" "HEADERS;LINK")
  add_library(${name} OBJECT "${CMAKE_BINARY_DIR}/precompiled.cpp")
  target_link_libraries(${name} PRIVATE ${arg_LINK})
  target_compile_options(${name} PRIVATE -fpch-preprocess)
  if(arg_TESTS)  # as for the programs that use it
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIE ${PLUMB_TEST_OPTIONS})
  endif()
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()

function(plumb_use_pch target name)
  target_compile_options(${target} PRIVATE -fpch-preprocess)
  target_precompile_headers(${target} REUSE_FROM ${name})
endfunction()

function(plumb_plugin_pch target)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  if("PlumbSdk::tensor" IN_LIST libraries)
    plumb_use_pch(${target} plumb_pch_torch)
  else()
    plumb_use_pch(${target} plumb_pch_sdk)
  endif()
endfunction()

plumb_pch(plumb_pch_sdk HEADERS ${plumb_standard_headers})
plumb_pch(plumb_pch_core HEADERS ${plumb_standard_headers} <fmt/format.h> LINK fmt::fmt)
plumb_pch(plumb_pch_torch LINK plumb::torch
  HEADERS ${plumb_standard_headers} ${plumb_tensor_headers} <torch/csrc/autograd/custom_function.h> <fmt/format.h>)
