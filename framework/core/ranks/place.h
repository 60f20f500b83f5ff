// Where this process stands among those that a launcher started for one run: torchrun, mpirun, srun, or anything that
// sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.
//
//   const Place place = place_from_environment();
//   if (place.world > 1) group = join_ranks(place, options);               // core/door/ranks.h
//
// Thread contract: [any], as long as nobody changes the environment.
#pragma once

#include <string>

namespace plumb {

struct Place {
  int rank = 0, world = 1;
  int local_rank = 0;       // among those of this machine: the number of its GPU
  bool one_machine = true;  // all ranks are on this one, as far as the environment tells
  std::string host;         // where rank 0, or the launcher's agent, serves the store
  int port = 0;
  bool agent_store = false;  // torchrun's agent serves it already: every rank is a client
  std::string run;           // tells attempts that share a store apart
  std::string launcher;      // for messages: "torchrun", "mpirun", "srun", "RANK and WORLD_SIZE"; empty: none
};

// World 1 when no launcher speaks. Variables of torchrun, or RANK and WORLD_SIZE set by hand, come before mpirun's, and
// those before srun's, since a launcher may start another. Throws Error(recipe) that names variable and value: one
// that is missing beside another, is no number, is out of range, or contradicts another launcher's.
Place place_from_environment();

// The first name of a list as Slurm writes it: "gpu[03-05,9],cpu1" -> "gpu03".
std::string first_host(const std::string& nodes);

}  // namespace plumb
