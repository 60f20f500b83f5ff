// `plumb certify RUN_OR_MODEL`: the invariances that the numbers rest on, measured on the user's own weights and rows.
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <filesystem>
#include <iostream>

#include "framework/pipeline/engine.h"
#include "framework/registry/registry.h"
#include "framework/report/output.h"
#include "framework/report/text.h"
#include "tools/cli/command_host.h"
#include "tools/cli/plugins_of_run.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace po = boost::program_options;

using Certify = void(const std::filesystem::path&, const Registry&, Host&, Value&);

void print_model(const Value& model) {
  std::cout << fmt::format("{}: {} of {} parameters, {} sequences, {} tokens: {}\n", model.at("name").as_string(),
                           model.at("type").as_string(), show_value(model.at("parameters")),
                           show_value(model.at("sequences")), show_value(model.at("tokens")),
                           model.at("rows").as_string());
  Table table{{"check", "verdict", "measured", "bound", "compared"}, {}};
  for (const Value& check : model.at("checks").as_list()) {
    const Value* problem = check.find("problem");
    const Value& error = check.at("measured");
    table.rows.push_back({check.at("name").as_string(), check.at("holds").as_bool() ? "holds" : "FAILS",
                          problem != nullptr ? "-"
                          : error.is_null()  ? "not a number"
                                             : fmt::format("{:.2g}", error.as_double()),
                          fmt::format("{:.2g}", check.at("bound").as_double()),
                          printable(problem != nullptr ? problem->as_string() : check.at("what").as_string())});
  }
  std::cout << to_text(table, "  ");
}

}  // namespace

int run_certify(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("folder", po::value<std::string>()->required(),
                        "the folder of a run, such as runs/quickstart, or of a model")("json", "print JSON");
  add_plugin_option(options);
  const auto given = parse_verb(argc, argv,
                                {"RUN_OR_MODEL [--plugin FILE]... [--json]",
                                 "Measures on your own weights and rows what must not matter: how a batch is composed, "
                                 "ordered, padded and packed,\n"
                                 "cached decoding, accumulation, saving and loading; and that training starts at its "
                                 "reference. Prints the error\n"
                                 "and the bound of each. Exit status 0 when all hold, 1 when one does not."},
                                options, {"folder"});
  if (!given) return 0;
  CommandHost host;
  const Registry registry = scan_for((*given)["folder"].as<std::string>(), *given);
  Value certificate;
  reinterpret_cast<Certify*>(Engine::open().symbol("plumb_engine_certify"))((*given)["folder"].as<std::string>(),
                                                                            registry, host, certificate);
  const bool holds = certificate.at("holds").as_bool();
  if (given->count("json") != 0) {
    unfiltered_output() << to_json(certificate, false, 2) << "\n";
  } else {
    for (const Value& model : certificate.at("models").as_list()) print_model(model);
    std::cout << (holds ? "every check holds\n" : "NOT certified: a check fails\n");
  }
  return holds ? 0 : static_cast<int>(ErrorCode::run_failed);
}

}  // namespace plumb::cli
