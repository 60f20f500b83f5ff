// What a command prints: everything that goes to std::cout and std::cerr passes printable() (telemetry/text.h), since
// names, messages and texts may come from models, data, servers and plugins of anybody.
//
//   int main() {
//     const FilteredOutput filtered;                       // once, before anything is printed
//     std::cerr << "plumb: " << error.what() << "\n";      // an escape sequence in it is shown, not obeyed
//     unfiltered_output() << to_json(value) << "\n";       // for programs: JSON and CSV as they are
//
// Unfiltered are only texts that other programs read and the command's own terminal control.
// Thread contract: the streams are as safe as std::cout and std::cerr themselves; the object is [setup].
#pragma once

#include <iosfwd>

namespace plumb {

class FilteredOutput {
 public:
  FilteredOutput();
  ~FilteredOutput();
  FilteredOutput(const FilteredOutput&) = delete;
  FilteredOutput& operator=(const FilteredOutput&) = delete;
};

// Standard output and standard error without the filter; they are flushed with std::cout and std::cerr.
std::ostream& unfiltered_output();
std::ostream& unfiltered_errors();

}  // namespace plumb
