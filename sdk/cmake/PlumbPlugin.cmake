# plumb_add_plugin(NAME
#   SOURCES file.cpp...    the plugin, one PLUMB_PLUGIN(...) among them
#   [TENSOR]               it sees tensors: model, reward-model, optimizer, generator
#   [LINK target...]       further libraries
#   [TESTS file_test.cpp...])  a test program of these and the plugin's own objects, run by ctest as plugin.NAME.unit
#
# Builds NAME.plumb.so and writes NAME.schema.json, its parameters, beside it. Plugins of this project and everybody
# else's are built by this same function. Outside of this project it also installs the two into lib/plumb/plugins, where
# `plumb` of the same prefix finds them.
#
# PLUMB_PLUGIN_OUTPUT_DIRECTORY  where the plugin goes; the current build folder unless set
# PLUMB_PLUGIN_TEST_LIBRARIES    what test programs link besides the SDK, such as a test framework
# PLUMB_PLUGIN_TEST_PREPARE      a function that is called with each test program and whether it sees tensors

set(PLUMB_PLUGIN_MAP "${CMAKE_CURRENT_LIST_DIR}/plugin.map")

function(plumb_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TENSOR" "" "SOURCES;LINK;TESTS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "plumb_add_plugin(${name}): wants SOURCES, knows TENSOR LINK TESTS; got: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(sdk PlumbSdk::sdk)
  if(arg_TENSOR)
    set(sdk PlumbSdk::tensor)
    if(NOT TARGET PlumbSdk::tensor)
      message(FATAL_ERROR "plumb_add_plugin(${name} TENSOR): no LibTorch found; set PLUMB_LIBTORCH to its folder")
    endif()
  endif()
  set(folder "${PLUMB_PLUGIN_OUTPUT_DIRECTORY}")
  if(NOT folder)
    set(folder "${CMAKE_CURRENT_BINARY_DIR}")
  endif()

  add_library(${name} MODULE ${arg_SOURCES})
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_link_libraries(${name} PRIVATE ${sdk} ${arg_LINK})
  target_link_options(${name} PRIVATE
    "-Wl,--version-script=${PLUMB_PLUGIN_MAP}" -Wl,-z,defs -Wl,-z,now -Wl,-z,nodelete -Wl,--build-id)
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".plumb.so" LIBRARY_OUTPUT_DIRECTORY "${folder}" LINK_DEPENDS "${PLUMB_PLUGIN_MAP}"
    CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(TARGET PlumbSdk::describe)
    set(schema "${folder}/${name}.schema.json")
    set(describe PlumbSdk::describe)
    get_target_property(installed PlumbSdk::describe IMPORTED)
    if(installed AND "${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize=[a-z,]*address")  # its runtime must come first
      execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-file-name=libasan.so
        OUTPUT_VARIABLE runtime OUTPUT_STRIP_TRAILING_WHITESPACE)
      set(describe "${CMAKE_COMMAND}" -E env "LD_PRELOAD=${runtime}" ASAN_OPTIONS=detect_leaks=0
        $<TARGET_FILE:PlumbSdk::describe>)
    endif()
    add_custom_command(TARGET ${name} POST_BUILD VERBATIM BYPRODUCTS "${schema}"
      COMMAND ${describe} "$<TARGET_FILE:${name}>" "${schema}" COMMENT "Describing ${name}")
  endif()
  get_target_property(elsewhere ${sdk} IMPORTED)
  if(elsewhere)
    # One RUNPATH, built and installed: the folders of the SDK, of LibTorch and of what it links. Changing it when it is
    # installed would pad the built one with empty entries, and the loader takes those for the working directory.
    set(runpath)
    foreach(library IN LISTS arg_LINK)
      if(TARGET "${library}")
        get_target_property(type "${library}" TYPE)
        get_target_property(imported "${library}" IMPORTED)
        if(type STREQUAL "SHARED_LIBRARY" AND NOT imported)
          list(APPEND runpath "$<TARGET_FILE_DIR:${library}>")
        endif()
      endif()
    endforeach()
    set_target_properties(${name} PROPERTIES
      BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "${runpath}" INSTALL_RPATH_USE_LINK_PATH ON)
    install(TARGETS ${name} LIBRARY DESTINATION lib/plumb/plugins)
    install(FILES "${folder}/${name}.schema.json" DESTINATION lib/plumb/plugins)
  endif()

  if(arg_TESTS AND BUILD_TESTING)
    add_executable(${name}_test ${arg_TESTS} $<TARGET_OBJECTS:${name}>)
    target_compile_features(${name}_test PRIVATE cxx_std_20)
    target_link_libraries(${name}_test PRIVATE ${sdk} ${arg_LINK} ${PLUMB_PLUGIN_TEST_LIBRARIES})
    if(PLUMB_PLUGIN_TEST_PREPARE)
      cmake_language(CALL ${PLUMB_PLUGIN_TEST_PREPARE} ${name}_test ${arg_TENSOR})
    endif()
    set_target_properties(${name}_test PROPERTIES BUILD_WITH_INSTALL_RPATH OFF)  # it stays where it is built
    add_test(NAME plugin.${name}.unit COMMAND ${name}_test)
    set_tests_properties(plugin.${name}.unit PROPERTIES LABELS fast)
  endif()
endfunction()
