// `plumb certify RUN_OR_MODEL`: invariances that the numbers rest on, measured on the user's own weights and rows, and
// how probable the model finds the rows.
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <filesystem>
#include <iostream>

#include "framework/core/door/engine.h"
#include "framework/core/registry/registry.h"
#include "framework/core/telemetry/output.h"
#include "framework/core/telemetry/text.h"
#include "tools/cli/command_host.h"
#include "tools/cli/placement_options.h"
#include "tools/cli/plugins_of_run.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace po = boost::program_options;

using Certify = void(const std::filesystem::path&, const std::filesystem::path&, const std::string&, const Registry&,
                     Host&, Value&);

// What is measured on real rows, in a line.
void print_real(const Value& real) {
  if (real.is_null()) {
    std::cout << "  no real rows: nothing here says whether the model is any good; --text FILE gives some\n";
    return;
  }
  if (const Value* problem = real.find("problem")) {
    std::cout << "  on real rows: " << printable(problem->as_string()) << "\n";
  } else if (real.find("nats") == nullptr) {
    std::cout << fmt::format("  on real rows: {} of {} pairs ordered as the data has them\n",
                             show_value(real.at("ordered")), show_value(real.at("pairs")));
  } else {
    const Value& nats = real.at("nats");
    std::cout << fmt::format(
        "  on real rows: {} nats a token over {} tokens; a unigram model of them {:.2f}, a uniform guess {:.2f}\n",
        nats.is_null() ? "not a number of" : fmt::format("{:.2f}", nats.as_double()), show_value(real.at("tokens")),
        real.at("unigram").as_double(), real.at("uniform").as_double());
  }
  if (const Value* warning = real.find("warning")) std::cout << "  WARNING: " << warning->as_string() << "\n";
}

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
  print_real(model.at("real_rows"));
  std::cout << to_text(table, "  ");
}

}  // namespace

int run_certify(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("folder", po::value<std::string>()->required(),
                        "the folder of a run, such as runs/quickstart, or of a model")(
      "text", po::value<std::string>()->value_name("FILE"),
      "lines of real text, for a model whose training rows are not there")("json", "print JSON");
  add_placement_options(options, {"device"});
  add_plugin_option(options);
  const auto given = parse_verb(argc, argv,
                                {"RUN_OR_MODEL [--text FILE] [--device DEVICE] [--plugin FILE]... [--json]",
                                 "Measures on your own weights and rows what must not matter: how a batch is composed, "
                                 "ordered, padded and packed,\n"
                                 "cached decoding, accumulation, saving and loading; and that training starts at its "
                                 "reference. Prints the error\n"
                                 "and the bound of each, and the nats a token on real rows. Exit status 0 when all "
                                 "checks hold, 1 when one does not.\n"
                                 "The checks compare ways to compute one model: what is wrong in all of them alike "
                                 "(order of layers, rope_theta,\n"
                                 "norm epsilon, transposed weights, another tokenizer or chat format) shows in the "
                                 "nats alone, as far as it spoils them."},
                                options, {"folder"});
  if (!given) return 0;
  CommandHost host;
  const Registry registry = scan_for((*given)["folder"].as<std::string>(), *given);
  Value certificate;
  reinterpret_cast<Certify*>(Engine::open().symbol("plumb_engine_certify"))(
      (*given)["folder"].as<std::string>(), given->count("text") != 0 ? (*given)["text"].as<std::string>() : "",
      placement_of(*given).device, registry, host, certificate);
  const bool holds = certificate.at("holds").as_bool();
  if (given->count("json") != 0) {
    unfiltered_output() << to_json(certificate, false, 2) << "\n";
  } else {
    for (const Value& model : certificate.at("models").as_list()) print_model(model);
    std::cout << (holds ? "every check holds: this model is computed alike in all these ways. Whether it is the right\n"
                          "model they cannot see; the nats a token on real rows are the measure of that\n"
                        : "NOT certified: a check fails\n");
  }
  return holds ? 0 : static_cast<int>(ErrorCode::run_failed);
}

}  // namespace plumb::cli
