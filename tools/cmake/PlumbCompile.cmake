# Everything that every target of this repository shares: language, warnings, linker, compiler cache, output folders.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# Release has no debug information (a third of the compile time); NDEBUG, because ATen's inline accessors check without it.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g1")

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow)
# Designated initialisers leave members to their defaults on purpose. The others are false positives of g++ 12 at -O2.
add_compile_options(-Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-restrict -Wno-error=maybe-uninitialized -Wno-error=array-bounds -Wno-error=stringop-overflow)
endif()
if(PLUMB_WARNINGS_AS_ERRORS)
  add_compile_options(-Werror)
endif()
if(PLUMB_SANITIZE)
  add_compile_options(-O1 -fsanitize=${PLUMB_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PLUMB_SANITIZE})
endif()
add_compile_definitions(BOOST_DLL_USE_STD_FS)

# The same source gives the same bytes wherever the checkout lies; the second map is for paths that ccache made relative.
file(RELATIVE_PATH plumb_up "${CMAKE_BINARY_DIR}" "${CMAKE_SOURCE_DIR}")
add_compile_options("-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=" "-ffile-prefix-map=${plumb_up}=")
# The compiler's own linker, on purpose: mold (up to 2.42, its issue 1648) and lld index the empty cold halves that g++
# leaves behind, and an exception that passes such a place aborts the process.
add_link_options(-Wl,--build-id -Wl,-z,defs -Wl,--as-needed)

find_program(PLUMB_CCACHE ccache)
if(PLUMB_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${PLUMB_CCACHE}")
endif()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(PLUMB_PLUGIN_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/plumb/plugins")

# Build tree and install tree have the same shape, so one $ORIGIN-relative search path serves both and either can be moved.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_LIBDIR lib)
set(PLUMB_BIN_RPATH "$ORIGIN/../lib;$ORIGIN/../lib/libtorch/lib")
set(PLUMB_LIB_RPATH "$ORIGIN;$ORIGIN/libtorch/lib")
set(PLUMB_PLUGIN_RPATH "$ORIGIN/../..;$ORIGIN/../../libtorch/lib")
set(CMAKE_INSTALL_RPATH "${PLUMB_BIN_RPATH}")

# plumb_cold(FILE...): sources that no loop over tokens or rows runs through are optimised lightly, which takes a quarter of
# their compile time.
function(plumb_cold)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-O1>")
endfunction()

# plumb_glob(VAR FOLDER...): the .cpp files of these folders, without the unit tests that stand beside them.
function(plumb_glob var)
  set(found)
  foreach(folder IN LISTS ARGN)
    file(GLOB here CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp")
    list(APPEND found ${here})
  endforeach()
  list(FILTER found EXCLUDE REGEX "_test\\.cpp$")
  set(${var} "${found}" PARENT_SCOPE)
endfunction()

# plumb_library(NAME SOURCE...): a shared library of ours; without sources it is built empty.
function(plumb_library name)
  set(sources ${ARGN})
  if(NOT sources)
    set(sources "${CMAKE_CURRENT_BINARY_DIR}/${name}_empty.cpp")
    file(CONFIGURE OUTPUT "${sources}" CONTENT "// No sources yet.\n")
  endif()
  add_library(${name} SHARED ${sources})
  set_target_properties(${name} PROPERTIES INSTALL_RPATH "${PLUMB_LIB_RPATH}")
endfunction()
