// plumb-component TITLE: one component in a process of its own, for a `plumb` whose recipe says `isolation: process`.
// It is started with a socket as descriptor 3, over which it is told what to make. TITLE is shown by ps.
#include <fcntl.h>

#include <iostream>

#include "framework/core/isolation/serving.h"

int main(int argc, char** argv) {
  if (argc != 2 || ::fcntl(3, F_GETFD) < 0) {
    std::cerr << (argc > 0 ? argv[0] : "plumb-component") << " is started by plumb, not by hand\n";
    return 2;
  }
  return plumb::serve_component(3);
}
