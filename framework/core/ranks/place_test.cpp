#include "framework/core/ranks/place.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>

#include "plumb/error.h"

BOOST_AUTO_TEST_SUITE(place)

using namespace plumb;
using Variables = std::map<std::string, std::string>;

// The place that these variables, and no others of launchers, give.
Place place_of(const Variables& variables) {
  for (const char* name : {"RANK",
                           "WORLD_SIZE",
                           "LOCAL_RANK",
                           "LOCAL_WORLD_SIZE",
                           "MASTER_ADDR",
                           "MASTER_PORT",
                           "TORCHELASTIC_RUN_ID",
                           "TORCHELASTIC_RESTART_COUNT",
                           "TORCHELASTIC_USE_AGENT_STORE",
                           "OMPI_COMM_WORLD_RANK",
                           "OMPI_COMM_WORLD_SIZE",
                           "OMPI_COMM_WORLD_LOCAL_RANK",
                           "OMPI_COMM_WORLD_LOCAL_SIZE",
                           "PMIX_NAMESPACE",
                           "OMPI_MCA_ess_base_jobid",
                           "PMI_RANK",
                           "PMI_SIZE",
                           "MPI_LOCALRANKID",
                           "MPI_LOCALNRANKS",
                           "SLURM_PROCID",
                           "SLURM_NTASKS",
                           "SLURM_LOCALID",
                           "SLURM_STEP_ID",
                           "SLURM_JOB_ID",
                           "SLURM_STEP_NODELIST",
                           "SLURM_NODELIST",
                           "SLURM_STEP_NUM_NODES"}) {
    ::unsetenv(name);
  }
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  return place_from_environment();
}

std::string refusal(const Variables& variables) {
  try {
    place_of(variables);
  } catch (const Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(ErrorCode::recipe));
    return error.what();
  }
  return "accepted";
}

BOOST_AUTO_TEST_CASE(without_a_launcher_there_is_one) {
  const Place place = place_of({});
  BOOST_TEST(place.world == 1);
  BOOST_TEST(place.launcher == "");
  BOOST_TEST(place_of({{"WORLD_SIZE", "1"}, {"RANK", "0"}}).world == 1);
  BOOST_TEST(place_of({{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}}).world == 1);  // a batch script
}

BOOST_AUTO_TEST_CASE(by_hand) {
  const Place place =
      place_of({{"RANK", "2"}, {"WORLD_SIZE", "4"}, {"MASTER_ADDR", "gpu01"}, {"MASTER_PORT", "29500"}});
  BOOST_TEST(place.rank == 2);
  BOOST_TEST(place.world == 4);
  BOOST_TEST(place.host == "gpu01");
  BOOST_TEST(place.port == 29500);
  BOOST_TEST(!place.one_machine);
  BOOST_TEST(!place.agent_store);
}

// As torchrun 2.11 sets them for the second of two processes.
BOOST_AUTO_TEST_CASE(torchrun) {
  const Variables variables{{"RANK", "1"},
                            {"LOCAL_RANK", "1"},
                            {"WORLD_SIZE", "2"},
                            {"LOCAL_WORLD_SIZE", "2"},
                            {"MASTER_ADDR", "vm"},
                            {"MASTER_PORT", "29511"},
                            {"TORCHELASTIC_RUN_ID", "none"},
                            {"TORCHELASTIC_RESTART_COUNT", "3"},
                            {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                            {"SLURM_STEP_ID", "0"},  // srun started the agents, one a machine
                            {"SLURM_PROCID", "0"},
                            {"SLURM_NTASKS", "1"}};
  const Place place = place_of(variables);
  BOOST_TEST(place.rank == 1);
  BOOST_TEST(place.local_rank == 1);
  BOOST_TEST(place.agent_store);
  BOOST_TEST(place.one_machine);
  BOOST_TEST(place.run == "none/3");
  BOOST_TEST(place.launcher == "torchrun");
}

// As Debian's Open MPI 4.1 sets them.
BOOST_AUTO_TEST_CASE(mpirun) {
  Variables variables{{"OMPI_COMM_WORLD_RANK", "1"},
                      {"OMPI_COMM_WORLD_SIZE", "2"},
                      {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                      {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                      {"PMIX_NAMESPACE", "3283812353"}};
  const Place place = place_of(variables);
  BOOST_TEST(place.rank == 1);
  BOOST_TEST(place.host == "127.0.0.1");
  BOOST_TEST((place.port >= 20000 && place.port < 40000));
  variables["OMPI_COMM_WORLD_RANK"] = "0";
  BOOST_TEST(place_of(variables).port == place.port);
  variables["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";
  BOOST_TEST(refusal(variables).find("set MASTER_ADDR to the host of rank 0") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(srun) {
  Variables variables{{"SLURM_STEP_ID", "0"},
                      {"SLURM_JOB_ID", "17"},
                      {"SLURM_PROCID", "3"},
                      {"SLURM_NTASKS", "4"},
                      {"SLURM_LOCALID", "1"},
                      {"SLURM_STEP_NUM_NODES", "2"},
                      {"SLURM_STEP_NODELIST", "gpu[07-08]"}};
  const Place place = place_of(variables);
  BOOST_TEST(place.rank == 3);
  BOOST_TEST(place.local_rank == 1);
  BOOST_TEST(place.host == "gpu07");
  BOOST_TEST(!place.one_machine);
  variables["SLURM_STEP_ID"] = "1";  // another step of the job, perhaps at the same time
  BOOST_TEST(place_of(variables).port != place.port);
  variables["SLURM_STEP_NUM_NODES"] = "1";
  BOOST_TEST(place_of(variables).host == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(first_of_slurms_hosts) {
  BOOST_TEST(first_host("gpu[03-05,9],cpu1") == "gpu03");
  BOOST_TEST(first_host("a,b") == "a");
  BOOST_TEST(first_host("vm") == "vm");
  BOOST_TEST(first_host("n[1,4].cluster,m2") == "n1.cluster");
}

BOOST_AUTO_TEST_CASE(contradictions_are_refused_by_name) {
  BOOST_TEST(refusal({{"RANK", "0"}}) ==
             "RANK is in the environment without WORLD_SIZE: a process of several needs both");
  BOOST_TEST(refusal({{"RANK", "2"}, {"WORLD_SIZE", "2"}}).find("ranks count from 0 to 1") != std::string::npos);
  BOOST_TEST(refusal({{"RANK", "x"}, {"WORLD_SIZE", "2"}}).starts_with("RANK=x in the environment: wanted a whole"));
  BOOST_TEST(refusal({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}).find("without MASTER_PORT") !=
             std::string::npos);
  BOOST_TEST(refusal({{"RANK", "0"},
                      {"WORLD_SIZE", "2"},
                      {"MASTER_ADDR", "a"},
                      {"MASTER_PORT", "1"},
                      {"OMPI_COMM_WORLD_RANK", "1"},
                      {"OMPI_COMM_WORLD_SIZE", "2"}})
                 .find("the environment contradicts itself: RANK=0 of WORLD_SIZE=2, but OMPI_COMM_WORLD_RANK=1") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
