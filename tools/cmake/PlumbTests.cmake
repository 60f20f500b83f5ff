# plumb_unit_tests(NAME FOLDER folder [TENSOR] LINK library...): the *_test.cpp of a folder become the program unit_NAME,
# which ctest runs under the label `fast`. They share one main. TENSOR: they see tensors.

add_library(plumb_test_main OBJECT "${CMAKE_CURRENT_LIST_DIR}/unit_main.cpp")
target_compile_definitions(plumb_test_main PUBLIC BOOST_TEST_DYN_LINK)
target_link_libraries(plumb_test_main PUBLIC Boost::unit_test_framework)

plumb_pch(plumb_pch_test TESTS HEADERS <boost/test/unit_test.hpp> LINK plumb_test_main)
plumb_pch(plumb_pch_test_torch TESTS HEADERS <boost/test/unit_test.hpp> ${plumb_tensor_headers} LINK plumb_test_main plumb::torch)

# plumb_test_program(TARGET [TENSOR] SOURCES file... [LINK library...]): a test program with that main; who calls adds its tests.
function(plumb_test_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TENSOR" "" "SOURCES;LINK")
  add_executable(${target} ${arg_SOURCES})
  target_compile_options(${target} PRIVATE ${PLUMB_TEST_OPTIONS})
  target_link_libraries(${target} PRIVATE plumb_test_main ${arg_LINK})
  if(arg_TENSOR)
    plumb_use_pch(${target} plumb_pch_test_torch)
  else()
    plumb_use_pch(${target} plumb_pch_test)
  endif()
endfunction()

function(plumb_unit_tests name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TENSOR" "FOLDER" "LINK")
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${arg_FOLDER}/*_test.cpp")
  if(NOT sources OR NOT BUILD_TESTING)
    return()
  endif()
  set(tensor)
  if(arg_TENSOR)
    set(tensor TENSOR)
  endif()
  plumb_test_program(unit_${name} ${tensor} SOURCES ${sources} LINK ${arg_LINK})
  add_test(NAME unit.${name} COMMAND unit_${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  # As the framework sets it: threads that wait sleep, or they starve the tests beside them.
  set_tests_properties(unit.${name} PROPERTIES LABELS fast TIMEOUT 120
    ENVIRONMENT "OMP_WAIT_POLICY=PASSIVE;GOMP_SPINCOUNT=0")
endfunction()
