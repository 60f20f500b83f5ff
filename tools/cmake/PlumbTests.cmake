# plumb_unit_tests(NAME FOLDER folder LINK library...): the *_test.cpp of a folder become the program unit_NAME, which
# ctest runs under the label `fast`. They share one main and one precompiled <boost/test/unit_test.hpp>.

add_library(plumb_test_main OBJECT "${CMAKE_CURRENT_LIST_DIR}/unit_main.cpp")
target_compile_definitions(plumb_test_main PUBLIC BOOST_TEST_DYN_LINK)
target_link_libraries(plumb_test_main PUBLIC Boost::unit_test_framework)

file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/unit_pch.cpp" CONTENT "// Carries the tests' precompiled header.\n")
add_library(plumb_test_pch OBJECT "${CMAKE_BINARY_DIR}/unit_pch.cpp")
set_target_properties(plumb_test_pch PROPERTIES POSITION_INDEPENDENT_CODE OFF)  # as for the programs that use it:
target_compile_options(plumb_test_pch PRIVATE -fPIE -fpch-preprocess)
target_link_libraries(plumb_test_pch PRIVATE plumb_test_main)
target_precompile_headers(plumb_test_pch PRIVATE <boost/test/unit_test.hpp>)

function(plumb_unit_tests name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FOLDER" "LINK")
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${arg_FOLDER}/*_test.cpp")
  if(NOT sources OR NOT BUILD_TESTING)
    return()
  endif()
  add_executable(unit_${name} ${sources})
  target_compile_options(unit_${name} PRIVATE -fpch-preprocess)
  target_link_libraries(unit_${name} PRIVATE plumb_test_main ${arg_LINK})
  target_precompile_headers(unit_${name} REUSE_FROM plumb_test_pch)
  add_test(NAME unit.${name} COMMAND unit_${name} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  # As the framework sets it: threads that wait sleep, or they starve the tests beside them.
  set_tests_properties(unit.${name} PROPERTIES LABELS fast TIMEOUT 120
    ENVIRONMENT "OMP_WAIT_POLICY=PASSIVE;GOMP_SPINCOUNT=0")
endfunction()
