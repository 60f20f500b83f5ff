# The libraries that come from Debian. tools/setup installs their packages.

find_package(Boost 1.81 REQUIRED COMPONENTS url program_options unit_test_framework)
find_package(OpenSSL REQUIRED)
find_package(TBB REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET GLOBAL libzstd)                 # PkgConfig::zstd
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET GLOBAL libpcre2-8)             # PkgConfig::pcre2
find_path(PLUMB_GLOO_INCLUDE gloo/rendezvous/store.h REQUIRED)                        # headers only: libgloo-dev
mark_as_advanced(PLUMB_GLOO_INCLUDE)
