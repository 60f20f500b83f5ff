#include "framework/core/ranks/place.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <optional>

#include "plumb/error.h"

namespace plumb {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

std::optional<int> number(const char* name, int least, int most) {
  const auto text = variable(name);
  if (!text) return std::nullopt;
  int value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec == std::errc() && parsed.ptr == text->data() + text->size() && value >= least && value <= most) {
    return value;
  }
  throw Error(ErrorCode::recipe,
              fmt::format("{}={} in the environment: wanted a whole number from {} to {}", name, *text, least, most));
}

constexpr int most_ranks = 1 << 20;

// How one launcher names what all of them say.
struct Names {
  const char* launcher;
  const char* rank;
  const char* world;
  const char* local_rank;
  const char* local_world;  // null: it has none
};
constexpr Names by_hand{"RANK and WORLD_SIZE", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"};
constexpr Names open_mpi{"mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
                         "OMPI_COMM_WORLD_LOCAL_SIZE"};
constexpr Names hydra{"mpirun", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"};
constexpr Names slurm{"srun", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", nullptr};

std::optional<Place> read(const Names& names) {
  const auto world = number(names.world, 1, most_ranks);
  const auto rank = number(names.rank, 0, most_ranks);
  if (!world && !rank) return std::nullopt;
  if (!world || !rank) {
    throw Error(ErrorCode::recipe, fmt::format("{} is in the environment without {}: a process of several needs both",
                                               world ? names.world : names.rank, world ? names.rank : names.world));
  }
  if (*rank >= *world) {
    throw Error(ErrorCode::recipe, fmt::format("{}={} with {}={} in the environment: ranks count from 0 to {}",
                                               names.rank, *rank, names.world, *world, *world - 1));
  }
  Place place{.rank = *rank, .world = *world, .launcher = names.launcher};
  place.local_rank = number(names.local_rank, 0, most_ranks).value_or(0);
  const auto local_world = names.local_world == nullptr ? std::nullopt : number(names.local_world, 1, most_ranks);
  place.one_machine = local_world && *local_world == *world;
  return place;
}

// A port that ranks agree on without talking: from what names the job.
int port_of(const std::string& job) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : job) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return 20000 + static_cast<int>(hash % 20000U);
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

void meet_by_hand(Place& place) {
  const auto host = variable("MASTER_ADDR");
  const auto port = number("MASTER_PORT", 1, 65535);
  if (!host || !port) {
    throw Error(ErrorCode::recipe, fmt::format("WORLD_SIZE={} in the environment without {}: the ranks need to know "
                                               "where rank 0 listens",
                                               place.world, host ? "MASTER_PORT" : "MASTER_ADDR"));
  }
  place.host = *host;
  place.port = *port;
  place.one_machine = place.one_machine || is_loopback(*host);
  if (const auto run = variable("TORCHELASTIC_RUN_ID")) {
    place.launcher = "torchrun";
    place.agent_store = variable("TORCHELASTIC_USE_AGENT_STORE") == "True";
    place.run = *run + "/" + variable("TORCHELASTIC_RESTART_COUNT").value_or("0");
  }
}

// MASTER_ADDR and MASTER_PORT where they are set, else what the launcher lets one derive.
void meet(Place& place, const std::optional<std::string>& host, const std::optional<std::string>& job) {
  const auto named_host = variable("MASTER_ADDR");
  const auto named_port = number("MASTER_PORT", 1, 65535);
  if ((!named_host && !host) || (!named_port && !job)) {
    throw Error(ErrorCode::recipe,
                fmt::format("{} started {} ranks and says not where they meet: set {} for all of them", place.launcher,
                            place.world,
                            !named_host && !host ? "MASTER_ADDR to the host of rank 0" : "MASTER_PORT to a free port"));
  }
  place.host = named_host ? *named_host : *host;
  place.port = named_port ? *named_port : port_of(*job);
}

Place of_mpirun(Place place) {
  auto job = variable("PMIX_NAMESPACE");
  if (!job) job = variable("OMPI_MCA_ess_base_jobid");
  meet(place, place.one_machine ? std::optional<std::string>("127.0.0.1") : std::nullopt, job);
  return place;
}

Place of_srun(Place place) {
  auto nodes = variable("SLURM_STEP_NODELIST");
  if (!nodes) nodes = variable("SLURM_NODELIST");
  place.one_machine = number("SLURM_STEP_NUM_NODES", 1, most_ranks).value_or(2) == 1;
  std::optional<std::string> host, job;
  if (place.one_machine) {
    host = "127.0.0.1";
  } else if (nodes) {
    host = first_host(*nodes);
  }
  if (const auto id = variable("SLURM_JOB_ID")) job = *id + "." + *variable("SLURM_STEP_ID");
  meet(place, host, job);
  return place;
}

// mpirun under Slurm is started with srun's variables of its own daemons, so only what was set by hand is compared.
void compare(const Place& hand, const Names& other) {
  const auto place = read(other);
  if (!place || (place->rank == hand.rank && place->world == hand.world)) return;
  throw Error(ErrorCode::recipe,
              fmt::format("the environment contradicts itself: RANK={} of WORLD_SIZE={}, but {}={} of {}={}. Unset "
                          "those that are not meant",
                          hand.rank, hand.world, other.rank, place->rank, other.world, place->world));
}

}  // namespace

std::string first_host(const std::string& nodes) {
  const std::size_t end = nodes.find_first_of(",[");
  if (end == std::string::npos || nodes[end] == ',') return nodes.substr(0, end);
  const std::size_t stop = nodes.find_first_of("-,]", end + 1);
  const std::size_t close = nodes.find(']', end);
  if (stop == std::string::npos || close == std::string::npos) return nodes;
  const std::size_t next = nodes.find(',', close);
  const std::size_t tail = next == std::string::npos ? std::string::npos : next - close - 1;
  return nodes.substr(0, end) + nodes.substr(end + 1, stop - end - 1) + nodes.substr(close + 1, tail);
}

Place place_from_environment() {
  if (auto place = read(by_hand)) {
    // torchrun may itself have been started by the others, which then count machines and not ranks.
    if (!variable("TORCHELASTIC_RUN_ID")) {
      for (const Names& other : {open_mpi, hydra}) compare(*place, other);
      if (variable("SLURM_STEP_ID")) compare(*place, slurm);
    }
    if (place->world > 1) meet_by_hand(*place);
    return *place;
  }
  for (const Names& names : {open_mpi, hydra}) {
    if (auto place = read(names)) return place->world > 1 ? of_mpirun(*place) : *place;
  }
  // Slurm sets SLURM_NTASKS in a batch script, too, which is one process; srun alone sets the step's id.
  if (variable("SLURM_STEP_ID")) {
    if (auto place = read(slurm)) return place->world > 1 ? of_srun(*place) : *place;
  }
  return {};
}

}  // namespace plumb
