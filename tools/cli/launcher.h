// What `plumb sweep --launch WORDS` puts before the command of each arm: srun, mpirun, torchrun, ssh, env …
//
//   launcher_words("srun -n1 --gpus 1")  →  {"/usr/bin/srun", "-n1", "--gpus", "1"}
//
// Thread contract: as a verb.
#pragma once

#include <string>
#include <vector>

namespace plumb::cli {

// Words as a shell splits them: quotes and backslashes keep spaces, nothing is expanded. The first is looked for in
// PATH. Throws Error(recipe) when there is none, or no such program.
std::vector<std::string> launcher_words(const std::string& text);

}  // namespace plumb::cli
